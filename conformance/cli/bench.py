"""Time a step of every installed backend against the Adams of its framework and against memory traffic.

All implementations of a framework take turns, so that ratios are right on a busy machine; a ratio is
the median over the rounds.  Steps are timed as in a training (new gradients, caches filled with other
things between two steps, another lr) and hot (the same step again at once).  The last lines list examples
that a fast path does not support: there the backend runs the definition, operation by operation, with the
same result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

EXAMPLES = """\
examples:
  adamcore bench                       every framework, 100 elements to a GPT-2 of 124M parameters
  adamcore bench --small               a GPT-2 of 31M instead, for machines with 8 GB of memory
  adamcore bench torch --work 1M       one framework, one size
  adamcore bench --situation training  leave out steps that are repeated at once
  adamcore bench torch:cuda            on a GPU
  adamcore bench --json run.json --plot run.svg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    from adamcore.conformance.bench.situations import SITUATIONS
    from adamcore.conformance.bench.workloads import WORKLOADS

    frameworks = ("numpy", "torch", "torch:cuda", "jax")
    parser.add_argument("framework", nargs="?", choices=frameworks, help="only this framework")
    parser.add_argument(
        "--work",
        action="append",
        choices=tuple(WORKLOADS),
        help="only this workload (may be repeated)",
    )
    parser.add_argument(
        "--situation",
        action="append",
        choices=tuple(SITUATIONS),
        help="; ".join(f"{each.name}: {each.about}" for each in SITUATIONS.values())
        + " (may be repeated; default: all)",
    )
    parser.add_argument("--small", action="store_true", help="31M parameters in place of 124M")
    parser.add_argument(
        "--budget",
        type=float,
        default=20.0,
        metavar="S",
        help="seconds for one framework on one workload (default: %(default)g)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the run to FILE")
    parser.add_argument("--plot", metavar="FILE", help="draw the ratios into FILE, as SVG")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from rich.table import Table

    from adamcore.backends.io.atomic import check_writable, write_whole
    from adamcore.conformance.bench import measure, plot, results, text
    from adamcore.conformance.bench.situations import SITUATIONS
    from adamcore.conformance.bench.workloads import SMALL, USUAL
    from adamcore.conformance.cli.parser import console, usage_error

    out = console()
    for path in (options.json, options.plot):
        try:
            if path:
                check_writable(path)
        except OSError as error:
            return usage_error(f"cannot write {path}: {error.strerror or error}")
    names = options.work or (SMALL if options.small else USUAL)
    before = results.environment()
    start = time.perf_counter()

    def progress(line: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {line}", file=sys.stderr, flush=True)

    situations = [SITUATIONS[name] for name in options.situation or SITUATIONS]
    rows = measure.run_all(names, situations, options.framework, options.budget, progress)
    document = json.loads(json.dumps(results.document(rows, before)))
    out.width = max(out.width, 130)
    out.print(text.environment_text(document), style="dim")
    for title, lines in text.tables(document):
        table = Table(title=title, title_justify="left")
        for k, head in enumerate(text.HEAD):
            table.add_column(head, justify="right" if k else "left", no_wrap=True)
        for line in lines:
            table.add_row(*line)
        out.print(table)
    out.print(text.ABOUT, style="dim")
    for line in text.unsupported_lines(document):
        out.print(f"not served, {line}")
    for path, content in (
        (options.json, json.dumps(document, indent=1) + "\n"),
        (options.plot, plot.svg(document)),
    ):
        try:
            if path:
                write_whole(path, [content.encode()])
        except OSError as error:
            return usage_error(f"cannot write {path}: {error.strerror or error}")
    return 0
