"""The parser of the command ``adamcore``.

Each subcommand is a module of this package.  It has ``EXAMPLES``, ``add_arguments(parser)`` and
``run(options)``, which returns the exit status.  It imports nothing heavy before ``run``, so that
``adamcore --help`` is fast.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: The modules of the subcommands, each with its line in ``adamcore --help``.
COMMANDS = {
    "check": "run candidates on the probes and judge them",
    "compare": "compare two dialects, and find the numbers with which one becomes the other",
    "convert": "convert a saved optimizer state from one framework to another",
    "dialects": "list the known implementations and how they differ",
    "port": "print the lines that give another framework the same Adam",
    "identify": "find out which Adam a candidate is, from its behaviour alone",
    "probes": "list the probes and the purpose of each",
    "smoke": "tell a broken driver from a wrong implementation",
    "bench": "time every backend against the Adams of its framework and against memory traffic",
    "audit": "judge a recorded training run",
    "vectors": "print, check or write test vectors with exact answers, for any language",
}

NEEDED = ("numpy", "flint", "rich")  #: the modules that the extra [conformance] installs

EXAMPLES = """\
examples:
  adamcore check                                    check every installed backend of adamcore
  adamcore check torch.optim:Adam optax:adamw       check two optimizers against their own dialects
  adamcore check --dialect torch.AdamW optax:adamw  check one against another dialect
  adamcore check my/adam.py:MyAdam --json out.json  check an array candidate and write a report
  adamcore dialects torch.AdamW                     print a dialect
  adamcore probes DEC.1                             print the probes of a rule

exit status: 0 all conform, 1 one deviates, 2 wrong usage or a target that is not available,
3 a candidate broke, or adamcore itself failed
"""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """A formatter that keeps the line breaks of descriptions and uses at most 100 columns."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=100)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="adamcore",
        description="One Adam, defined once, and a check of any other Adam against it.",
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
    """Run the command line and return the exit status.

    Args:
        arguments: the words after ``adamcore``; None means those of the process.
    """
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
    except Exception:
        traceback.print_exc()
        print("adamcore: a fault of adamcore, not of what it was given", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("adamcore: interrupted", file=sys.stderr)
        return 130
    return status


def console() -> Console:
    """Return standard output: as wide as the terminal, else with 100 columns and without colours."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100, highlight=False, emoji=False, markup=False)


def usage_error(message: object) -> int:
    """Print what is wrong in one line, and return the exit status 2."""
    print(f"adamcore: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
