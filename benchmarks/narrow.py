"""The time of a step by the dtypes of its arrays, ours over torch.optim.Adam(fused=True) in the dtype of p.

All steps run in one thread and take turns, as in a training: between two steps 64 MB are read and written,
and gradients are made in new memory.  The time is that which the processor spends in the step's thread, so
it does not count what other programs take on a shared machine.

    python benchmarks/narrow.py [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from adamcore.conformance.bench.results import environment
from adamcore.conformance.bench.situations import SITUATIONS, between
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.steps import evict_torch, optimizer_torch, torch_optim
from adamcore.conformance.bench.workloads import WORKLOADS

SIZES = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8}
WORKS = ("16M", "gpt2-31M")
#: (dtype of p, dtype of the moments)
OURS = (
    ("float32", "float32"), ("float32", "float64"),
    ("bfloat16", "bfloat16"), ("bfloat16", "float32"),
    ("float16", "float16"), ("float16", "float32"),
)  # fmt: skip


def steps(work: str) -> dict[tuple[str, str, str], Step]:
    """Return each step by whose it is, the dtype of p and that of the moments."""
    shapes = WORKLOADS[work]
    found = {("torch", p, p): torch_optim(p, fused=True)(shapes) for p in dict.fromkeys(p for p, _ in OURS)}
    for p, moments in OURS:
        settings = {} if moments == p else {"moment_dtype": moments}
        found["adamcore", p, moments] = optimizer_torch(shapes, p, **settings)
    return found


def timed(work: str, rounds: int) -> dict[tuple[str, str, str], list[float]]:
    """Return the seconds of processor time of each step in each round."""
    made, evict = steps(work), evict_torch()
    turns: list[tuple[Any, Step, Callable[[], None]]] = []
    for key, step in made.items():
        prepare = between(SITUATIONS["training"], step, evict)
        assert prepare is not None
        turns.append((key, step, prepare))
    times: dict[tuple[str, str, str], list[float]] = {key: [] for key in made}
    order = Random(0)
    for k in range(rounds + 2):
        order.shuffle(turns)
        for key, step, prepare in turns:
            prepare()
            start = time.thread_time()
            step()
            if k >= 2:  # the first steps compile, and make the moments
                times[key].append(time.thread_time() - start)
    return times


def rows(work: str, rounds: int) -> list[dict[str, Any]]:
    times = timed(work, rounds)
    found = []
    for (whose, p, moments), mine in times.items():
        same, single = times["torch", p, p], times["torch", "float32", "float32"]
        found.append(
            {
                "work": work,
                "whose": whose,
                "p": p,
                "moments": moments,
                "bytes": 3 * SIZES[p] + 4 * SIZES[moments],
                "seconds": statistics.median(mine),
                "ratio": statistics.median(a / b for a, b in zip(mine, same, strict=True)),
                "of_minima": min(mine) / min(same),
                "to_float32": statistics.median(a / b for a, b in zip(mine, single, strict=True)),
            }
        )
    return found


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = environment()
    made = [row for work in WORKS for row in rows(work, options.rounds)]
    for row in made:
        print({k: round(x, 4) if isinstance(x, float) else x for k, x in row.items()})
    if options.json:
        document = {"environment": before, "rounds": options.rounds, "rows": made}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
