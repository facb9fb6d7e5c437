"""docs/performance.md, written from the stored runs in docs/results/.

    python benchmarks/page.py            write the page
    python benchmarks/page.py --check    exit 1 if it differs from what is there
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from adamcore.conformance.bench import plot, results, show

ROOT = Path(__file__).resolve().parents[1]
PAGE, DRAWING = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"
RUN, DRIFT = ROOT / "docs" / "results" / "bench-cpu.json", ROOT / "docs" / "results" / "drift.json"

#: (what, framework, work, contender, figure, must, aim)
TARGETS = (
    ("NumPy without [fast], against the usual NumPy Adam", "numpy", "1M", "adamcore without [fast]", "ratio", 0.30, 0.22),
    ("", "numpy", "16M", "adamcore without [fast]", "ratio", 0.30, 0.22),
    ("NumPy with [fast], against memory traffic", "numpy", "16M", "adamcore", "of_floor", 1.15, 1.03),
    ("PyTorch CPU, against fused=True", "torch", "16M", "adamcore", "ratio", 1.00, 0.93),
    ("", "torch", "gpt2-31M", "adamcore", "ratio", 1.00, 0.93),
    ("", "torch", "1000x1000", "adamcore", "ratio", 0.35, 0.15),
    ("the same as a torch.optim.Optimizer", "torch", "1000x1000", "adamcore.backends.torch.Adam", "ratio", 0.35, 0.15),
    ("", "torch", "100", "adamcore", "ratio", 1.00, 0.30),
    ("JAX, against optax under jit with donation", "jax", "1M", "adamcore", "ratio", 1.00, 0.60),
    ("", "jax", "16M", "adamcore", "ratio", 1.00, 0.60),
    ("JAX, 1000 leaves in one vector", "jax", "1000x1000", "adamcore, flat", "ratio", 0.15, 0.05),
)  # fmt: skip

INTRODUCTION = """\
# How fast, and how exact

This page is written by `make performance` from the stored runs in [results/](results/); a test holds it
to them. `adamcore bench` makes such a run on your machine.

## How a step is carried out

The definition is run once with values that write down what is done to them
([`program.py`](../adamcore/program.py)): 15 operations for Algorithm 1, 18 for AdamW, at most 24 on any
choice of axes. Everything fast is made from that list, nothing repeats the formula.

| where | how | bits |
|---|---|---|
| NumPy, and PyTorch on the CPU, with `adamcore[fast]` | The program in LLVM's language, compiled by llvmlite in some 20 ms without a compiler on the machine. One loop reads p, g, m, v and writes p, m, v: 28 bytes an element. One call serves a whole list of arrays through a table of addresses; tensors stay where they are. From half a million elements on, threads take pieces in turn. | those of the definition in NumPy, whatever the machine, the split or the number of threads: nothing is fused or reordered |
| NumPy and PyTorch on the CPU without it | The same operations on blocks that stay in the cache, each writing into memory that is already there; arrays of less than 4096 elements are gathered. | the same |
| JAX outside of jit, `donate=True` | A compiled step whose inputs are given away; with `adamcore[fast]` the machine code above is called through XLA's foreign function interface. | the same with [fast], else XLA's |
| JAX inside your jit | The definition, part of your program. | XLA's |
| PyTorch on other devices | One `torch._foreach` call for each operation, in place, with coefficients on the device if the clock is there. **No GPU was at hand: this is tested with tensors on the CPU, and no figure is given.** | not measured |

A step with `donate=True` on the arrays of the step before checks only what can have changed
([`lane.py`](../adamcore/lane.py)).

Machine code by llvmlite and not by numba: numba is built on it, compiles some twenty times as long, brings
thread pools of its own that may not be entered twice at once, and leaves the contraction of multiply-adds to
chance. Contraction would gain nothing, for memory is the limit, and would cost the bits.
"""

ACCURACY = """\
## Accuracy

Error of p in units in the last place after as many steps, median and 99th percentile over 1024
parameters, against the definition in float64 on the same float32 gradients; lr 1e-3, float32
throughout. The floor keeps exact moments and rounds p alone, once a step.
"""

WHY = """\
The mean over time is formed as `m + (w*g - w*m)`, from the one rounded weight `w = 1-b` (rule NUM.4), so
the weights add up to one whatever `w` was rounded to. With `b2` and `1-b2` rounded each by itself, v gets a
gain of 1.0000129 and every step is 6e-6 too short: unseen under random gradients, and the largest error
of all where they are biased. `1-b**t` is formed without cancellation from the clock; in float32 from
`b**t` it is off by 80 to 1000 ULP, which is what optax and Keras show.

It overflows no earlier than other forms: the square is formed as `(w2*g)*g`, and in float32 a gradient of
1e20 still moves its parameter by lr (`tests/test_fast_numpy.py`), where a lerp of `g*g` has an infinite v.
"""


def main() -> int:
    text, drawing = page(), plot.svg(results.load(RUN))
    if "--check" in sys.argv:
        return int(PAGE.read_text() != text or DRAWING.read_text() != drawing)
    PAGE.write_text(text)
    DRAWING.write_text(drawing)
    return 0


def page() -> str:
    run, drift = results.load(RUN), json.loads(DRIFT.read_text())
    parts = [INTRODUCTION, *reached(run), *timings(run), *left_out(run), *exactness(drift)]
    return "\n".join(parts).rstrip() + "\n"


def reached(run: dict[str, Any]) -> Iterable[str]:
    yield "## What was to be reached\n\nRatios within one run, the median over its rounds; lower is better.\n"
    lines = []
    what = ""
    for title, framework, work, name, figure, must, aim in TARGETS:
        what = title or what
        row = find(run, framework, work, name)
        if row is None or row[figure] is None:
            lines.append((f"{what}, {work}", "not in the run", f"{must:.2f}", f"{aim:.2f}", ""))
            continue
        value = row[figure]
        verdict = "aim" if value <= aim else "must" if value <= must else "**missed**"
        lines.append((f"{what}, {work}", f"{value:.2f}", f"{must:.2f}", f"{aim:.2f}", verdict))
    yield table(("", "measured", "must", "aim", "reached"), lines)
    yield "PyTorch on CUDA: not measured.\n"


def timings(run: dict[str, Any]) -> Iterable[str]:
    yield f"## The run\n\n{show.environment(run)}.\n\n![ratios](performance.svg)\n\n{sentence(show.ABOUT)}\n"
    for title, rows in show.tables(run):
        yield f"### {title}\n"
        used = [k for k in range(len(show.HEAD)) if k == 0 or any(row[k] for row in rows)]
        yield table([show.HEAD[k] for k in used], [[row[k] for k in used] for row in rows])


def left_out(run: dict[str, Any]) -> Iterable[str]:
    yield "## What the fast paths do not serve\n\nThe definition does it, operation by operation.\n"
    yield "\n".join(f"- {line}" for line in show.unserved(run)) + "\n"


def exactness(drift: dict[str, Any]) -> Iterable[str]:
    yield ACCURACY
    steps = sorted({row["step"] for row in drift["rows"]})
    for kind in dict.fromkeys(row["gradients"] for row in drift["rows"]):
        rows = [row for row in drift["rows"] if row["gradients"] == kind]
        lines = []
        for name in dict.fromkeys(row["name"] for row in rows):
            mine = {row["step"]: row for row in rows if row["name"] == name}
            lines.append((name, *(f"{mine[t]['median']:.1f} / {mine[t]['p99']:.0f}" for t in steps)))
        yield table((f"{kind} gradients", *(f"{t} steps" for t in steps)), lines)
    yield WHY


def find(run: dict[str, Any], framework: str, work: str, name: str) -> dict[str, Any] | None:
    wanted = framework, work, name
    return next((r for r in run["rows"] if (r["framework"], r["work"], r["name"]) == wanted), None)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


if __name__ == "__main__":
    sys.exit(main())
