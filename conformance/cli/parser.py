"""The parser of the command ``adamcore``.

Each subcommand is a module of this package.  It has ``EXAMPLES``, ``add_arguments(parser)`` and
``run(options)``, which returns the exit status.  It imports nothing heavy before ``run``, so that
``adamcore --help`` is fast.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from adamcore.conformance.cli.output import safe_output

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
    "bench": "time every backend, or a candidate, against memory traffic",
    "audit": "judge a recorded training run",
    "vectors": "print, check or write test vectors with exact answers, for any language",
}

VERDICTS = ("check", "identify", "smoke", "audit")  #: the commands whose exit status is a verdict
NARROWEST = 20  #: columns that output has at least, whatever COLUMNS says
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
        columns = shutil.get_terminal_size((100, 24)).columns
        super().__init__(prog, max_help_position=26, width=min(100, columns))


class Command(argparse.ArgumentParser):
    """The parser of one command, which refuses what it does not know with its own usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="adamcore",
        description="One Adam, defined once, and a check of any other Adam against it.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"adamcore {metadata.version('adamcore')}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Command)
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
        sub.set_defaults(run=module.run, command=name)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    The status of a command whose result is a verdict does not depend on whether standard output takes its
    text.  Any other command then ends with 2.

    Args:
        arguments: the words after ``adamcore``; None means those of the process.
    """
    with safe_output() as (out, _):
        options = build_parser().parse_args(arguments)
        status = run_command(options)
        if why := out.lost:
            print(f"adamcore: standard output: {why}", file=sys.stderr)
            status = status or (0 if options.command in VERDICTS else 2)
    return status


def run_command(options: argparse.Namespace) -> int:
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        return usage_error(f"not installed: {', '.join(missing)}; pip install 'adamcore[conformance]'")
    try:
        status: int = options.run(options)
    except Exception:
        import traceback  # only a fault of our own needs it

        traceback.print_exc()
        print("adamcore: a fault of adamcore, not of what it was given", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("adamcore: interrupted", file=sys.stderr)
        return 130
    return status


def console() -> Console:
    """Return standard output: as wide as COLUMNS or the terminal says, else with 100 columns."""
    from rich.console import Console

    width = max(shutil.get_terminal_size((100, 25)).columns, NARROWEST)
    return Console(width=width, highlight=False, emoji=False, markup=False)


def usage_error(message: object) -> int:
    """Print what is wrong in one line, and return the exit status 2."""
    print(f"adamcore: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
