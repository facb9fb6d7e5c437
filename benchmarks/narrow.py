"""The time of a step by how its arrays are kept, ours over torch.optim.Adam(fused=True) in the dtype of p.

All steps run in one thread and take turns, as in a training: between two steps 64 MB are read and written,
and gradients are made in new memory.  The time is that which the processor spends in the step's thread, so
it does not count what other programs take on a shared machine.

    python benchmarks/narrow.py [--rounds N] [--work NAME] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from adamcore import Adam
from adamcore.conformance.bench.results import environment
from adamcore.conformance.bench.situations import SITUATIONS, between
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.steps import evict_torch, optimizer_torch, ours_torch, torch_optim
from adamcore.conformance.bench.workloads import WORKLOADS, Shapes

#: bytes of an element; those of 8 bits have scales of 64 elements, two bytes for m and four for v
SIZES = {
    "bfloat16": 2,
    "float16": 2,
    "float32": 4,
    "float64": 8,
    "companded8": 1 + 3 / 64,
}  #: m and v on average
RESTS = {"master": 4, "split": 2, "split8": 1, "kahan": 2}  #: bytes of what is kept beside an element of p
WORKS = ("16M", "gpt2-31M")


class Kept(NamedTuple):
    """How the arrays of a step are kept."""

    p: str  #: the dtype
    moments: str  #: the dtype, or the policy of both
    p_storage: str = "plain"

    @property
    def bytes(self) -> float:
        """What a step moves for an element: p, g, m, v and the rest of p are read, all but g written."""
        return 3 * SIZES[self.p] + 4 * SIZES[self.moments] + 2 * RESTS.get(self.p_storage, 0)


#: what is timed together, so that not all of it is in memory at once
OURS = (
    (Kept("float32", "float32"), Kept("float32", "float64"), Kept("float16", "float16"),
     Kept("float16", "float32"), Kept("float16", "float16", "split"),
     Kept("float16", "float16", "stochastic")),
    (Kept("bfloat16", "bfloat16"), Kept("bfloat16", "float32"), Kept("bfloat16", "bfloat16", "split"),
     Kept("bfloat16", "bfloat16", "split8"), Kept("bfloat16", "bfloat16", "stochastic")),
    (Kept("bfloat16", "bfloat16", "kahan"), Kept("bfloat16", "bfloat16", "master"),
     Kept("bfloat16", "float32", "split"), Kept("bfloat16", "float32", "stochastic"),
     Kept("bfloat16", "companded8", "split8")),
)  # fmt: skip


def ours(shapes: Shapes, kept: Kept) -> Step:
    """Return our step: of the optimizer for PyTorch, or of ``Adam`` where that has no such storage."""
    if kept.moments == "companded8":
        storage: Any = {"p_storage": kept.p_storage, "m_storage": kept.moments, "v_storage": kept.moments}
        return ours_torch(shapes, kept.p, Adam(**storage))
    settings = {} if kept.moments == kept.p else {"moment_dtype": kept.moments}
    return optimizer_torch(shapes, kept.p, p_storage=kept.p_storage, **settings)


def steps(work: str, group: Sequence[Kept]) -> dict[tuple[str, Kept], Step]:
    """Return each step by whose it is and how its arrays are kept."""
    shapes = WORKLOADS[work]
    dtypes = dict.fromkeys(["float32", *(kept.p for kept in group)])
    found = {("torch", Kept(p, p)): torch_optim(p, fused=True)(shapes) for p in dtypes}
    return found | {("adamcore", kept): ours(shapes, kept) for kept in group}


def timed(work: str, group: Sequence[Kept], rounds: int) -> dict[tuple[str, Kept], list[float]]:
    """Return the seconds of processor time of each step in each round."""
    made, evict = steps(work, group), evict_torch()
    turns: list[tuple[Any, Step, Callable[[], None]]] = []
    for key, step in made.items():
        prepare = between(SITUATIONS["training"], step, evict)
        assert prepare is not None
        turns.append((key, step, prepare))
    times: dict[tuple[str, Kept], list[float]] = {key: [] for key in made}
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


def rows(work: str, group: Sequence[Kept], rounds: int) -> list[dict[str, Any]]:
    times = timed(work, group, rounds)
    found = []
    for (whose, kept), mine in times.items():
        same, single = times["torch", Kept(kept.p, kept.p)], times["torch", Kept("float32", "float32")]
        found.append(
            {
                "work": work,
                "whose": whose,
                "p": kept.p,
                "moments": kept.moments,
                "p_storage": kept.p_storage,
                "bytes": round(kept.bytes, 3),
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
    parser.add_argument("--work", action="append", choices=WORKS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = environment()
    made = []
    for work in options.work or WORKS:
        for group in OURS:
            for row in rows(work, group, options.rounds):
                made.append(row)
                print({k: round(x, 4) if isinstance(x, float) else x for k, x in row.items()}, flush=True)
    if options.json:
        document = {"environment": before, "rounds": options.rounds, "rows": made}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
