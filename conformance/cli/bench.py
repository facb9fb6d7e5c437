"""Time a step of every backend here against the Adams of its framework and against memory traffic.

Contenders take turns, so that ratios hold on a busy machine; each ratio is the median over the
rounds.  What the fast paths do not serve is listed at the end: the definition does it, operation by
operation, with the same result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

EXAMPLES = """\
examples:
  adamcore bench                       every framework, 100 elements to a GPT-2 of 124M parameters
  adamcore bench --small               with a GPT-2 of 31M instead: for 8 GB of memory
  adamcore bench torch --work 1M       one framework, one size
  adamcore bench torch:cuda            on a GPU
  adamcore bench --json run.json --plot run.svg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from adamcore.conformance.bench.workloads import WORKLOADS

    frameworks = ("numpy", "torch", "torch:cuda", "jax")
    parser.add_argument("framework", nargs="?", choices=frameworks, help="only this one")
    parser.add_argument(
        "--work", action="append", choices=tuple(WORKLOADS), help="only this (may be repeated)"
    )
    parser.add_argument("--small", action="store_true", help="31M parameters in place of 124M")
    parser.add_argument(
        "--budget", type=float, default=20.0, metavar="S",
        help="seconds for one framework on one work (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write the run to FILE")
    parser.add_argument("--plot", metavar="FILE", help="draw the ratios into FILE, as SVG")


def run(options: argparse.Namespace) -> int:
    from rich.table import Table

    from adamcore.conformance.bench import measure, plot, results
    from adamcore.conformance.bench import text as show
    from adamcore.conformance.bench.workloads import SMALL, USUAL
    from adamcore.conformance.cli.parser import console, usage_error

    out = console()
    names = options.work or (SMALL if options.small else USUAL)
    before = results.environment()
    start = time.perf_counter()

    def progress(text: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {text}", file=sys.stderr, flush=True)

    rows = measure.run_all(names, options.framework, options.budget, progress)
    document = json.loads(json.dumps(results.document(rows, before)))
    out.width = max(out.width, 130)
    out.print(show.environment_text(document), style="dim")
    for title, lines in show.tables(document):
        table = Table(title=title, title_justify="left")
        for k, head in enumerate(show.HEAD):
            table.add_column(head, justify="right" if k else "left", no_wrap=True)
        for line in lines:
            table.add_row(*line)
        out.print(table)
    out.print(show.ABOUT, style="dim")
    for line in show.unsupported_lines(document):
        out.print(f"not served, {line}")
    try:
        if options.json:
            Path(options.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        if options.plot:
            Path(options.plot).write_text(plot.svg(document), encoding="utf-8")
    except OSError as error:
        return usage_error(f"cannot write {error.filename}: {error.strerror}")
    return 0
