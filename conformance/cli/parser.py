"""The command ``adamcore``: each subcommand is a module of :mod:`adamcore.conformance.cli`.

Such a module has ``EXAMPLES``, ``add_arguments(parser)`` and ``run(options) -> exit status``; it
imports nothing heavy before ``run``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: Name of the module -> one line for --help.
COMMANDS = {
    "check": "run candidates on the probes and judge them",
    "compare": "two dialects side by side, and with which numbers one is the other",
    "convert": "convert a saved optimizer state from one framework into another",
    "dialects": "list the known implementations and how they differ",
    "port": "print the lines to write in another framework",
    "identify": "tell which Adam a candidate is, from what it does alone",
    "probes": "list the probes and what each is for",
    "smoke": "tell a broken driver from a wrong implementation",
    "bench": "time every backend against the Adams of its framework and against memory traffic",
    "audit": "judge a recorded training run",
    "vectors": "test vectors with exact answers, for any language",
}

NEEDED = ("numpy", "flint", "rich")  #: what the extra [conformance] brings

EXAMPLES = """\
examples:
  adamcore check                                    every backend installed here
  adamcore check torch.optim:Adam optax:adamw       somebody else's, against their own dialects
  adamcore check --dialect torch.AdamW optax:adamw  against a claim
  adamcore check my/adam.py:MyAdam --json out.json  an array candidate, with a report
  adamcore dialects torch.AdamW                     what a dialect is
  adamcore probes DEC.1                             what the probes of a rule are

exit status: 0 all conform, 1 one deviates, 2 wrong usage or a target that is not here,
3 a candidate broke
"""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions, at 100 columns at most."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=100)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="adamcore",
        description="One Adam, defined once; hold any other against it.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"adamcore {metadata.version('adamcore')}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, about in COMMANDS.items():
        module = importlib.import_module(f"adamcore.conformance.cli.{name}")
        sub = commands.add_parser(
            name,
            help=about,
            description=module.__doc__,
            epilog=module.EXAMPLES,
            formatter_class=HelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = build_parser().parse_args(arguments)
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        print(
            f"adamcore: not installed: {', '.join(missing)}; pip install 'adamcore[conformance]'",
            file=sys.stderr,
        )
        return 2
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        print("adamcore: interrupted", file=sys.stderr)
        return 130
    return status


def console() -> Console:
    """Standard output: as wide as the terminal, or 100 columns without colours where it is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100, highlight=False, emoji=False, markup=False)


def usage_error(message: object) -> int:
    """Say what is wrong in one line; the exit status for it."""
    print(f"adamcore: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
