"""Time a step: of every installed backend, or of a candidate beside a copy of memory.

Without TARGET, or with the name of a framework, our backends are timed against the Adams of their framework.
All implementations of a framework take turns, so that ratios are right on a busy machine; a ratio is the
median over the rounds.  Steps are timed as in a training (new gradients, caches filled with other things
between two steps, another lr) and hot (the same step again at once).  The last lines list examples that a
fast path does not support: there the backend runs the definition, operation by operation, with the same
result.  "times" is the price: the time of such a step over that of a float32 vector of as many bytes.

Any other TARGET is one of `adamcore check`: a class, a factory, or kernel:module:function.  Its step is timed
hot beside a copy of memory that moves as many bytes, and a quick check says whether it is right.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from adamcore.conformance.cli.check import positive

if TYPE_CHECKING:
    from rich.console import Console

FRAMEWORKS = ("numpy", "torch", "torch:bfloat16", "torch:float16", "torch:cuda", "jax")
EXAMPLES = """\
examples:
  adamcore bench                       every framework, 100 elements to a GPT-2 of 124M parameters
  adamcore bench --small               a GPT-2 of 31M instead, for machines with 8 GB of memory
  adamcore bench torch --work 1M       one framework, one size
  adamcore bench --situation training  leave out steps that are repeated at once
  adamcore bench torch:bfloat16        parameters in 16 bits, beside fused=True in the same dtype
  adamcore bench torch:cuda            on a GPU
  adamcore bench kernel:my_kernels.py:adamw --device cuda
  adamcore bench torch.optim:AdamW --set fused=True
  adamcore bench --json run.json --plot run.svg

exit status: 0 timed, right or wrong, 2 wrong usage, or a target that is not available or cannot be timed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    from adamcore.conformance.bench.situations import SITUATIONS
    from adamcore.conformance.bench.workloads import WORKLOADS

    parser.add_argument(
        "target", nargs="?", metavar="TARGET", help=f"{', '.join(FRAMEWORKS)}, or a target of adamcore check"
    )
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
        type=positive,
        default=20.0,
        metavar="S",
        help="seconds for one framework on one workload (default: %(default)g)",
    )
    parser.add_argument("--dialect", metavar="NAME", help="the claim of TARGET")
    parser.add_argument("--device", metavar="NAME", help="the device of TARGET, such as cuda")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of TARGET"
    )
    parser.add_argument("--json", metavar="FILE", help="write the run to FILE")
    parser.add_argument("--plot", metavar="FILE", help="draw the ratios into FILE, as SVG")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    from adamcore.backends.io.atomic import check_writable
    from adamcore.conformance.cli.parser import console, usage_error

    of_ours = options.target is None or options.target in FRAMEWORKS
    if of_ours and (options.dialect or options.device or options.set):
        return usage_error("--dialect, --device and --set are for a TARGET that is not one of our backends")
    if (options.plot or options.situation or options.small) and not of_ours:
        return usage_error(
            "--plot, --situation and --small are for our backends; of a TARGET --json has the figures, and "
            "--work chooses the sizes"
        )
    for path in (options.json, options.plot):
        try:
            if path:
                check_writable(path)
        except OSError as error:
            return usage_error(f"cannot write {path}: {error.strerror or error}")
    start = time.perf_counter()

    def progress(line: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {line}", file=sys.stderr, flush=True)

    timed = run_frameworks if of_ours else run_candidate
    return timed(options, console(), progress)


def run_frameworks(options: argparse.Namespace, out: Console, progress: Callable[[str], None]) -> int:
    """Time our backends and print the tables."""
    from rich.table import Table

    from adamcore.conformance.bench import measure, plot, results, text
    from adamcore.conformance.bench.situations import SITUATIONS
    from adamcore.conformance.bench.workloads import SMALL, USUAL

    names = options.work or (SMALL if options.small else USUAL)
    before = results.environment()
    situations = [SITUATIONS[name] for name in options.situation or SITUATIONS]
    rows = measure.run_all(names, situations, options.target, options.budget, progress)
    document = json.loads(json.dumps(results.document(rows, before)))
    out.width = max(out.width, 130)
    out.print(text.environment_text(document), style="dim")
    for title, lines in text.tables(document):
        table = Table(title=title, title_justify="left")
        for k, head in enumerate(text.HEAD):
            table.add_column(head, justify="right" if k else "left", no_wrap=k > 0)
        for line in lines:
            table.add_row(*line)
        out.print(table)
    out.print(text.ABOUT, style="dim")
    for line in text.unsupported_lines(document):
        out.print(f"not served, {line}")
    return write(document, options.json) or write_text(options.plot, plot.svg(document))


def run_candidate(options: argparse.Namespace, out: Console, progress: Callable[[str], None]) -> int:
    """Time a candidate beside a copy of memory, check it, and print both."""
    from rich.table import Table

    from adamcore.conformance.bench import results, text
    from adamcore.conformance.bench.targets import load_target, run_target
    from adamcore.conformance.checking.check import check
    from adamcore.conformance.checking.validate import validate_target
    from adamcore.conformance.cli.parser import usage_error
    from adamcore.conformance.errors import CandidateError, UsageError
    from adamcore.conformance.settings import parse_assignments
    from adamcore.errors import DialectError

    before = results.environment()
    try:
        validate_target(options.target)
        settings = parse_assignments(options.set)
        candidate = load_target(options.target, settings, options.device)
        progress(f"{options.target}: a quick check")
        report = check(
            [options.target],
            dialect=options.dialect,
            dtypes=["float32"],
            device=options.device,
            settings=settings,
            quick=True,
        )
        rows = run_target(options.target, candidate, options.work or ("1M", "16M"), options.budget, progress)
    except (UsageError, CandidateError, DialectError) as error:
        return usage_error(error)
    [entry] = report.entries
    said = judged(entry)
    document = json.loads(json.dumps(results.document(rows, before, said)))
    out.print(text.environment_text(document), style="dim")
    table = Table(title=options.target, title_justify="left")
    for k, head in enumerate(text.TARGET_HEAD):
        table.add_column(head, justify="right" if k else "left", no_wrap=k > 0)
    for row in document["rows"]:
        if row["name"] == options.target:
            table.add_row(*text.target_cells(row))
    out.print(table)
    out.print(text.TARGET_ABOUT, style="dim")
    out.print(said["text"])
    return write(document, options.json)


def judged(entry: Any) -> dict[str, str]:
    """Return what a quick check says of a candidate, for the file and as a line."""
    passed = sum(r.status == "passed" for r in entry.results)
    first = next((f for f in entry.findings if f.level == "error"), None)
    line = f"{entry.verdict}: {entry.reason}"
    if entry.verdict == "conforms":
        line = f"right: it conforms to {entry.claimed} in {passed} quick probes in float32"
    if entry.verdict == "deviates":
        said = f"{first.observed} ({first.rule}: {first.expected})" if first else "no finding"
        line = f"wrong: it deviates from {entry.claimed}: {said}; adamcore check says more"
    return {"target": entry.target, "claimed": entry.claimed, "verdict": entry.verdict, "text": line}


def write(document: dict[str, Any], path: str | None) -> int:
    return write_text(path, json.dumps(document, indent=1) + "\n")


def write_text(path: str | None, content: str) -> int:
    """Write a file, if there is one to write; return the exit status."""
    from adamcore.backends.io.atomic import write_whole
    from adamcore.conformance.cli.parser import usage_error

    try:
        if path:
            write_whole(path, [content.encode()])
    except OSError as error:
        return usage_error(f"cannot write {path}: {error.strerror or error}")
    return 0
