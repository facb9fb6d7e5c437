"""Parameters and state larger than memory: files that are stepped in blocks (docs/out-of-core.md)."""

from adamcore.backends.files.run import CEILING, Run

__all__ = ["CEILING", "Run"]
