"""How fast a step out of core is, beside reading and writing the same files.

    python benchmarks/files.py [--elements N] [--ceiling MIB] [--dask N] [--rounds N] [--json FILE]

Each round reads p, g, m and v and writes p, m and v as a step does, without arithmetic ("files"),
and makes a step ("step").  Both end with all that they wrote on the disk.  The same is done with an
array of Dask's on its distributed scheduler, in the memory of this process, with two threads.  Where
others use the machine, the ratio of processor times says more than that of the clock's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from adamcore import Adam
from adamcore.backends.files import Run
from adamcore.backends.files.step import Mover
from adamcore.conformance.bench.results import environment

LEAVES = 12


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds that ``work`` takes, and those of processors in it, those of the system included."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def measure(folder: Path, elements: int, ceiling: int, rounds: int, **adam: Any) -> dict[str, Any]:
    """Return the times of rounds, in seconds, and their ratio."""
    each = elements // LEAVES
    params = {f"w{k}": np.zeros(each, np.float32) for k in range(LEAVES)}
    run = Run.create(folder / "run", Adam(**adam), params)
    (folder / "grads").mkdir()
    for name, x in params.items():
        np.save(folder / "grads" / f"{name}.npy", x + np.float32(1))

    def files() -> None:
        with mock.patch.object(Mover, "work", return_value=None):
            run.step(folder / "grads", ceiling=ceiling)

    def step() -> None:
        run.step(folder / "grads", ceiling=ceiling)

    for _ in range(2):  # both copies are made
        step()
    times = [(timed(files), timed(step)) for _ in range(rounds)]
    ratios = [a / b for (a, _), (b, _) in times]
    moved = 28 * each * LEAVES
    return {
        "elements": each * LEAVES,
        "ceiling": ceiling,
        "files_gb_s": moved / 1e9 / statistics.median(a for (a, _), _ in times),
        "step_gb_s": moved / 1e9 / statistics.median(b for _, (b, _) in times),
        "ratio": statistics.median(ratios),
        "ratio_of_least": min(a for (a, _), _ in times) / min(b for _, (b, _) in times),
        "ratio_of_processor_time": statistics.median(a / b for (_, a), (_, b) in times),
        "times": times,
    }


def reread(*arrays: Any, adam: Any, job: Any, names: Any, block_info: Any) -> list[Any]:
    """Return copies of what a step would change, having read the gradient."""
    found = dict(zip(names, arrays, strict=True))
    return [found["p"] + 0 * found["g"][:1], found["m"].copy(), np.maximum(found["v"], found["g"])]


def measure_dask(elements: int, rounds: int) -> dict[str, Any]:
    """Return the times of rounds on Dask's distributed scheduler: of new arrays alone, and of a step."""
    import dask.array as da
    from dask import distributed
    from dask.base import persist

    from adamcore.backends.dask import backend

    with (
        distributed.LocalCluster(
            processes=False,
            n_workers=1,
            threads_per_worker=2,
            dashboard_address=None,
            memory_limit=None,
        ) as cluster,
        distributed.Client(cluster),
    ):
        adam = Adam()
        p, g = persist(*(da.random.random(elements, chunks=1 << 21).astype("float32") for _ in "pg"))
        p, state = persist(*adam.step(p, g, adam.init(p)))

        def once() -> None:
            new = persist(*adam.step(p, g, state))
            distributed.wait([new[0], new[1].m, new[1].v])

        def arrays() -> None:
            with mock.patch.object(importlib.import_module(type(backend).__module__), "step_chunk", reread):
                once()

        once()
        arrays()
        times = [(timed(arrays), timed(once)) for _ in range(rounds)]
    return {
        "dask_elements": elements,
        "dask_ratio": statistics.median(b / a for (a, _), (b, _) in times),
        "dask_ratio_of_least": min(b for _, (b, _) in times) / min(a for (a, _), _ in times),
        "dask_ratio_of_processor_time": statistics.median(b / a for (_, a), (_, b) in times),
        "dask_times": times,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--elements", type=int, default=142_000_000)
    parser.add_argument("--ceiling", type=int, default=512, help="MiB")
    parser.add_argument("--dask", type=int, default=1 << 25, help="elements of Dask's array")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files are made; on the disk to be measured")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        found = measure(folder, given.elements, given.ceiling << 20, given.rounds)
        found |= measure_dask(given.dask, given.rounds)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(found, indent=2))
    if given.json:
        given.json.write_text(json.dumps({"environment": environment(), **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
