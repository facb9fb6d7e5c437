"""How fast a step of sharded parameters is: beside plain tensors of the shards' sizes, and beside PyTorch.

    python benchmarks/sharded.py [--ranks N] [--rounds N] [--json FILE]

Each process steps DTensors cut by rows, and plain tensors as large as its own shards.  Each round times
one step of each kind, in turn; a figure is the median of the rounds' ratios, and of their processor times
where others use the machine.  A step sends nothing, so that no process waits for another.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adamcore.conformance.bench.results import environment

WORKLOADS = {
    "16 million elements a rank": [(1_000_000,)] * 16,
    "50 of 64x64": [(64, 64)] * 50,
    "400 of 64x64": [(64, 64)] * 400,
}


def seconds(step: Callable[[], Any], times: int) -> tuple[float, float]:
    """Return the seconds of a step, of the clock and of the processor, in the middle of so many."""
    start, used = time.perf_counter(), time.process_time()
    for _ in range(times):
        step()
    return (time.perf_counter() - start) / times, (time.process_time() - used) / times


def steps(shapes: Any, ranks: int) -> dict[str, Callable[[], Any]]:
    """Return the steps that are timed, by name."""
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard

    from adamcore.backends.torch import AdamW

    mesh = init_device_mesh("cpu", (ranks,))

    def parameters(sharded: bool) -> list[Any]:
        found = []
        for shape in shapes:
            p, g = torch.rand(shape), torch.rand(shape)
            if sharded:
                p, g = (DTensor.from_local(x, mesh, [Shard(0)], run_check=False) for x in (p, g))
            found.append(torch.nn.Parameter(p))
            found[-1].grad = g
        return found

    return {
        "plain": AdamW(parameters(False)).step,
        "sharded": AdamW(parameters(True)).step,
        "torch fused, sharded": torch.optim.AdamW(parameters(True), fused=True).step,
    }


def measure(rank: int, ranks: int, rounds: int, folder: str) -> None:
    """Time all workloads as one process; the first writes what it has found."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=ranks)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // ranks))
    found: dict[str, Any] = {}
    for name, shapes in WORKLOADS.items():
        kinds, times = steps(shapes, ranks), 1 if "million" in name else 5
        for step in kinds.values():
            seconds(step, 4)
        rows = [{kind: seconds(step, times) for kind, step in kinds.items()} for _ in range(rounds)]
        ratios = {}
        for other in ("plain", "torch fused, sharded"):
            for k, clock in enumerate(("", " (processor time)")):
                pairs = [(row["sharded"][k], row[other][k]) for row in rows]
                ratios[f"to {other}{clock}"] = statistics.median(a / b for a, b in pairs)
                ratios[f"to {other}{clock}, least"] = min(a for a, _ in pairs) / min(b for _, b in pairs)
        seen = {kind: statistics.median(row[kind][0] for row in rows) for kind in kinds}
        found[name] = {"ratios": ratios, "seconds": seen}
    if rank == 0:
        Path(folder, "found.json").write_text(json.dumps(found), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


def main() -> None:
    """Run the command."""
    from torch.multiprocessing.spawn import spawn

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spawn(measure, (given.ranks, given.rounds, folder), nprocs=given.ranks)
        found = json.loads(Path(folder, "found.json").read_text(encoding="utf-8"))
    print(json.dumps(found, indent=2))
    if given.json:
        result = {"environment": environment(), "ranks": given.ranks, "rounds": given.rounds, **found}
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
