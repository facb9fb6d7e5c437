"""Tell a broken driver from a wrong implementation: does the target run at all?

TARGET is as for adamcore check. If a line fails here, the driver, the adapter or the installation is
broken. If all lines pass and adamcore check fails, the implementation is wrong.
"""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  adamcore smoke cmd:./my_driver
  adamcore smoke 'cmd:node driver.mjs' --timeout 10
  adamcore smoke torch.optim:AdamW --dtype float32

exit status: 0 fine, 2 wrong usage or a target that is not available, 3 something failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    from adamcore.conformance.cli.check import positive
    from adamcore.conformance.settings import DTYPES, MEMORY, NARROW, TIMEOUT

    parser.add_argument("target", metavar="TARGET", help="what to test")
    parser.add_argument(
        "--dtype",
        action="append",
        choices=(*DTYPES, *NARROW),
        help="only this dtype (default: float32 and float64)",
    )
    parser.add_argument("--device", metavar="NAME", help="device of torch and JAX targets, such as cuda:1")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a constructor argument"
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=TIMEOUT,
        metavar="S",
        help="seconds that it has to start, and then for each part (default: %(default)g)",
    )
    parser.add_argument(
        "--memory", type=positive, default=MEMORY, metavar="MB", help="memory that it may use (%(default)g)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from rich.table import Table
    from rich.text import Text

    from adamcore.conformance.checking.smoke import smoke
    from adamcore.conformance.cli.parser import console, usage_error
    from adamcore.conformance.errors import UsageError
    from adamcore.conformance.report.report import EXIT_BROKEN, EXIT_CONFORMS, EXIT_USAGE
    from adamcore.conformance.settings import DTYPES, parse_assignments

    try:
        lines = smoke(
            options.target,
            device=options.device,
            settings=parse_assignments(options.set),
            dtypes=options.dtype or DTYPES,
            timeout=options.timeout,
            memory=options.memory,
        )
    except UsageError as error:
        return usage_error(error)
    styles = {"ok": "green", "failed": "bold red", "skipped": "yellow", "unavailable": "dim"}
    table = Table.grid(padding=(0, 2, 0, 0))
    for line in lines:
        status = Text("-" if line.status == "skipped" else line.status, styles[line.status])
        table.add_row(status, Text(line.dtype, "dim"), line.name, Text(line.detail))
    out = console()
    out.print(table)
    out.print()
    statuses = {line.status for line in lines}
    if "failed" in statuses:
        out.print("broken: it cannot be checked as it is", style="bold red")
        return EXIT_BROKEN
    if "unavailable" in statuses:
        out.print("not here", style="bold")
        return EXIT_USAGE
    out.print("fine: whatever adamcore check finds is in the implementation", style="green")
    return EXIT_CONFORMS
