"""The command ``adamcore``: a module for each subcommand, and :mod:`parser` for all of them together."""

from adamcore.conformance.cli.parser import main

__all__ = ["main"]
