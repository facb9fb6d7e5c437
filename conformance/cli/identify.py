"""Find out which Adam a candidate is, from its behaviour alone.

TARGET is as for adamcore check, and may be an optimizer that is no Adam.  The answer has
  the dialect that it behaves like, and the distance of the next best one
  the fault, if only an Adam with a fault matches
  the update rule as measured: equations with numbers, whatever the optimizer is
  a value for each axis, or several if no probe tells them apart
  the precision of the coefficients
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from adamcore.conformance.cli import check

if TYPE_CHECKING:
    from rich.console import Console

    from adamcore.conformance.anatomy.anatomy import Anatomy
    from adamcore.conformance.report.report import Entry

EXAMPLES = """\
examples:
  adamcore identify torch.optim:SparseAdam
  adamcore identify my/adam.py:MyAdam
  adamcore identify torch.optim:RMSprop optax:lion
  adamcore identify optax:adam --set eps_root=0.1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    check.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.report.report import EXIT_BROKEN, EXIT_USAGE
    from adamcore.conformance.report.write import check_paths, write_all
    from adamcore.errors import DialectError

    if not options.targets:
        return usage_error(UsageError("identify what? give a TARGET; our own backends are what they claim"))
    if options.expected:
        return usage_error(UsageError("--expected: identify expects nothing; adamcore check takes the file"))
    out = console()
    paths = check.report_paths(options)
    try:
        check_paths(paths)
        report = check.run_check(options, out, identifying=True)
    except (UsageError, DialectError) as error:
        return usage_error(error)
    for entry in report.entries:
        describe(entry, out)
    problems = write_all(report, paths)
    for problem in problems:
        usage_error(problem)
    if problems:
        return EXIT_USAGE
    if any(entry.verdict == "broken" for entry in report.entries):
        return EXIT_BROKEN
    return EXIT_USAGE if any(entry.verdict == "unavailable" for entry in report.entries) else 0


def describe(entry: Entry, out: Console) -> None:
    """Print the answer on one candidate: a line, the rule as measured, and a table of its axes."""
    from rich.table import Table
    from rich.text import Text

    out.print(Text(entry.target, "bold").append(f" {answer(entry)}", "not bold"))
    if entry.anatomy is not None and entry.verdict not in ("broken", "unavailable"):
        describe_rule(entry.anatomy, out)
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


def describe_rule(anatomy: Anatomy, out: Console) -> None:
    """Print the update rule as it was measured."""
    from rich.table import Table

    levers = ", ".join(f"{name}={value:g}" for name, value in anatomy.levers.items())
    out.print(f"  its rule as measured in {anatomy.readings.dtype}, with {levers}:")
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column()
    grid.add_column(overflow="fold")
    for part, equation in anatomy.equations:
        grid.add_row(f"    {part}", equation)
    out.print(grid)


def answer(entry: Entry) -> str:
    """Return the identification as the rest of a sentence."""
    if entry.verdict in ("broken", "unavailable"):
        return f"is {entry.verdict}: {entry.reason}"
    if not any(entry.axes.values()):
        ran = [r for r in entry.results if r.probe == "STEP.1/fingerprint"]
        if ran and all(r.status == "skipped" or r.reason.startswith("raised in step") for r in ran):
            return f"could not be run: {ran[0].reason}"
        return "is none of the Adams known here, nor one with a known fault"
    if entry.fault and entry.fault.startswith("like "):
        return f"is {entry.fault}"
    if entry.fault:
        return f"is an Adam with a fault: {entry.fault}"
    sure = f"; the next best is {entry.sureness:.2g} bounds away" if entry.sureness else ""
    if entry.identified is None:
        return f"is an Adam that no dialect of the table describes{sure}"
    return f"behaves like {entry.identified}{sure}"
