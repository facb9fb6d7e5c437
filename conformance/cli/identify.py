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
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adamcore.conformance.cli import check

if TYPE_CHECKING:
    from rich.console import Console

    from adamcore.conformance.report.report import Entry

EXAMPLES = """\
examples:
  adamcore identify torch.optim:SparseAdam
  adamcore identify my/adam.py:MyAdam
  adamcore identify torch.optim:RMSprop optax:lion
  adamcore identify optax:adam --set eps_root=0.1

exit status: 0 each has an answer, 2 wrong usage or a target that is not available, 3 a candidate broke,
or adamcore itself failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    from adamcore.conformance.settings import HISTORIES

    check.add_candidates(parser, identifying=True)
    parser.set_defaults(histories=HISTORIES)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    with check.workers_ahead(options, 1):  # one worker runs all dtypes, if it can
        return identify_and_report(options)


def identify_and_report(options: argparse.Namespace) -> int:
    """Identify, write the reports, and return the exit status."""
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
    from rich.text import Text

    from adamcore.conformance.report.terminal import say

    say(out, Text(entry.target, "bold").append(f" {answer(entry)}", "not bold"), 2)
    if entry.anatomy is not None and entry.verdict not in ("broken", "unavailable"):
        levers = ", ".join(f"{name}={value:g}" for name, value in entry.anatomy.levers.items())
        say(out, f"its rule as measured in {entry.anatomy.readings.dtype}, with {levers}:", 2, 2)
        print_pairs(entry.anatomy.equations, out)
    if entry.precision:
        say(out, f"coefficients in float32: {entry.precision}", 2, 2)
    if not any(entry.axes.values()) or entry.verdict in ("broken", "unavailable"):
        return
    say(out, "its value on each axis:", 2, 2)
    texts = {axis: " or ".join(str(value) for value in values) for axis, values in entry.axes.items()}
    print_pairs([(axis, text or "none of those known") for axis, text in texts.items()], out)


def print_pairs(lines: Sequence[tuple[str, str]], out: Console) -> None:
    """Print names, and beside each its text."""
    from adamcore.conformance.report.terminal import say

    width = max(len(name) for name, _ in lines) + 2
    for name, text in lines:
        say(out, f"{name:<{width}}{text}", width + 6, 4)


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
