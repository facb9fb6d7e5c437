"""Tell which Adam a candidate is, from what it does alone.

TARGET is as for adamcore check.  The answer is a set of values for each axis (several where
nothing a probe could show tells them apart), the dialect that has them, how sure that is, how
exactly the coefficients are formed, and what is wrong with it if only an Adam with a fault fits.
What is no Adam is said to be none.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from adamcore.conformance.cli import check

if TYPE_CHECKING:
    from rich.console import Console

    from adamcore.conformance.report.report import Entry

EXAMPLES = """\
examples:
  adamcore identify torch.optim:SparseAdam
  adamcore identify my/adam.py:MyAdam
  adamcore identify optax:adam --set eps_root=0.1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    check.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.report.report import EXIT_BROKEN, EXIT_USAGE
    from adamcore.errors import DialectError

    if not options.targets:
        return usage_error(UsageError("identify what? give a TARGET; our own backends are what they claim"))
    out = console()
    try:
        report = check.run_check(options, out)
    except (UsageError, DialectError) as error:
        return usage_error(error)
    for entry in report.entries:
        describe(entry, out)
    if any(entry.verdict == "broken" for entry in report.entries):
        return EXIT_BROKEN
    return EXIT_USAGE if any(entry.verdict == "unavailable" for entry in report.entries) else 0


def describe(entry: Entry, out: Console) -> None:
    """One candidate: a line that answers, and a table of its axes."""
    from rich.table import Table

    out.print(f"[bold]{entry.target}[/] {answer(entry)}")
    if entry.precision:
        out.print(f"  coefficients in float32: {entry.precision}")
    if not any(entry.axes.values()) or entry.verdict in ("broken", "unavailable"):
        return
    grid = Table(box=None, pad_edge=False)
    grid.add_column("  axis")
    grid.add_column("values it may have")
    for axis, values in entry.axes.items():
        grid.add_row(f"  {axis}", " or ".join(str(value) for value in values) or "none of those known")
    out.print(grid)


def answer(entry: Entry) -> str:
    """The identification in a clause."""
    if entry.verdict in ("broken", "unavailable"):
        return f"is {entry.verdict}: {entry.reason}"
    if not any(entry.axes.values()):
        return "is none of the Adams known here, nor one with a known fault"
    if entry.fault:
        return f"is an Adam with a fault: {entry.fault}"
    sure = f"; the next best is {entry.sureness:.2g} bounds away" if entry.sureness else ""
    if entry.identified is None:
        return f"is an Adam that no dialect of the table describes{sure}"
    return f"does as {entry.identified} does{sure}"
