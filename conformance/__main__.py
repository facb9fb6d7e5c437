"""The command ``adamcore`` as ``python -m adamcore.conformance``."""

import sys

if __name__ == "__main__":
    from adamcore.conformance.cli import main

    sys.exit(main())
