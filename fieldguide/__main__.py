"""Measure the Adams of the field guide, and store a result for each.

Every entry is measured in its own environment by adamcore check, adamcore identify and a run of 10,000
steps.  What is stored already is left as it is, unless the version or the definition of an entry has changed,
so a run that was interrupted goes on where it ended.  An entry that fails does not stop the others: the
failure is its result, and the next run tries again.  A result that differs from the stored one is reported
as a change.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import NoReturn

from fieldguide.entry import Entry, load_entries, select
from fieldguide.environment import Environments, alone, default_cache
from fieldguide.errors import FieldGuideError
from fieldguide.results import RESULTS, load
from fieldguide.run import Outcome, change_text, measure_all, verdict_text

EPILOG = """\
examples:
  python -m fieldguide                       all that is not measured yet
  python -m fieldguide --only torch-adamw    one entry
  python -m fieldguide --only keras 'tf-*'   an environment or a package, and a pattern of entries
  python -m fieldguide --again --only optax  once more; changes are reported

then `python docs/generate/field_guide_pages.py` writes docs/field-guide/ (make fieldguide does both)

exit status: 0 all have a verdict, 1 one has none, 2 wrong usage, 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m fieldguide",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="an entry, an environment, a package or a pattern",
    )
    made.add_argument("--list", action="store_true", help="list the entries and their stored verdicts")
    made.add_argument("--again", action="store_true", help="measure what is stored already too")
    made.add_argument("--quick", action="store_true", help="short probes and runs alone")
    made.add_argument("-j", type=int, default=2, dest="jobs", metavar="N", help="entries at a time (2)")
    made.add_argument("--limit", type=float, default=600.0, metavar="S", help="seconds for a command (600)")
    made.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        metavar="DIR",
        help="where environments are built (%(default)s)",
    )
    made.add_argument(
        "--keep", action="store_true", help="keep environments; else each goes with its last entry"
    )
    made.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help=argparse.SUPPRESS)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    try:
        entries = select(load_entries(), options.only)
    except FieldGuideError as error:
        print(f"fieldguide: {error}", file=sys.stderr)
        return 2
    if options.list:
        for entry in entries:
            stored = load(entry.id, options.results)
            text = verdict_text(stored) if stored else "not measured"
            print(f"{entry.id:28} {entry.name} {entry.version}: {text}")
        return 0
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with alone(options.cache):
            outcomes = measure_with_bar(entries, options)
    except FieldGuideError as error:
        print(f"fieldguide: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    for outcome in outcomes:
        for change in outcome.changed:
            print(change_text(outcome.entry, change))
    return int(any(outcome.failed for outcome in outcomes))


def interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def measure_with_bar(entries: list[Entry], options: argparse.Namespace) -> list[Outcome]:
    """Measure entries with a progress bar on a terminal, and a line for each that is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    out = Console()
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=len(entries))

        def done(outcome: Outcome) -> None:
            bar.advance(task)
            out.print(Text(outcome.line), soft_wrap=True)

        return measure_all(
            entries,
            Environments(options.cache, entries, keep=options.keep),
            results=options.results,
            jobs=options.jobs,
            limit=options.limit,
            quick=options.quick,
            again=options.again,
            done=done,
        )


if __name__ == "__main__":
    sys.exit(main())
