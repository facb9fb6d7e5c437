"""The command ``adamcore``: a module for each subcommand, put together in :mod:`.parser`."""

from adamcore.conformance.cli.parser import main

__all__ = ["main"]
