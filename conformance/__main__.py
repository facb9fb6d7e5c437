"""``python -m adamcore.conformance`` is the command ``adamcore``."""

import sys

if __name__ == "__main__":
    from adamcore.conformance.cli import main

    sys.exit(main())
