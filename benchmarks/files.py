"""How fast a step out of core is, beside reading and writing the same files.

    python benchmarks/files.py [--part files|dask] [--elements N] [--ceiling MIB] [--rounds N] [--json FILE]

"files": each round reads p, g, m and v and writes p, m and v as a step does, without arithmetic, and
makes a step.  "dask": each round makes a step of a run in this process, one as tasks of Dask's ("tasks"), one
whose gradients are arrays of Dask's, which are computed from the parameters ("chunks"), and a step of Dask's
arrays that are read from files of NumPy and stored in others, with and without arithmetic ("lazy"), and lets
Dask read and store the same files without a step of ours ("plain"); then a step of arrays in the memory of
Dask's worker.  What writes files ends with all of it on the disk.
Dask's scheduler is the distributed one, with a worker process of two threads, whose memory has the
ceiling.  Where others use the machine, the ratio of processor times says more than that of the clock's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from adamcore import Adam
from adamcore.backends.files import Run
from adamcore.backends.files.blocks import Blocks
from adamcore.backends.io.atomic import sync
from adamcore.conformance.bench.results import environment

LEAVES = 12
CHUNK = 1 << 21  #: elements of a chunk of Dask's


def timed(work: Callable[[], Any], used: Callable[[], float] = time.process_time) -> tuple[float, float]:
    """Return the seconds that ``work`` takes, and those of processors in it, those of the system included."""
    start, before = time.perf_counter(), used()
    work()
    return time.perf_counter() - start, used() - before


def compared(pairs: Sequence[tuple[tuple[float, float], tuple[float, float]]], name: str) -> dict[str, float]:
    """Return the ratios of times: of neighbours, of the least of each, and of processor times."""
    return {
        name: statistics.median(a / b for (a, _), (b, _) in pairs),
        f"{name}_of_least": min(a for (a, _), _ in pairs) / min(b for _, (b, _) in pairs),
        f"{name}_of_processor_time": statistics.median(a / b for (_, a), (_, b) in pairs),
    }


def run_of(folder: Path, elements: int) -> Run:
    """Return a run with gradients beside it, of which both copies of the state are made."""
    each = elements // LEAVES
    params = {f"w{k}": np.zeros(each, np.float32) for k in range(LEAVES)}
    run = Run.create(folder / "run", Adam(), params)
    (folder / "grads").mkdir()
    for name, x in params.items():
        np.save(folder / "grads" / f"{name}.npy", x + np.float32(1))
    for _ in range(2):
        run.step(folder / "grads")
    return run


def measure(folder: Path, elements: int, ceiling: int, rounds: int) -> dict[str, Any]:
    """Return the times of rounds, in seconds, and their ratio."""
    run = run_of(folder, elements)

    def step() -> None:
        run.step(folder / "grads", ceiling=ceiling)

    def files() -> None:
        with mock.patch.object(Blocks, "work", return_value=None):
            step()

    times = [(timed(files), timed(step)) for _ in range(rounds)]
    moved = 28 * (elements // LEAVES) * LEAVES
    return {
        "elements": elements // LEAVES * LEAVES,
        "ceiling": ceiling,
        "files_gb_s": moved / 1e9 / statistics.median(a for (a, _), _ in times),
        "step_gb_s": moved / 1e9 / statistics.median(b for _, (b, _) in times),
        **compared(times, "ratio"),
        "times": times,
    }


class OnDisk:
    """A vector in a file of NumPy, of which each task reads or writes a part."""

    ndim = 1

    def __init__(self, path: Path) -> None:
        found = np.load(path, mmap_mode="r")
        self.path, self.shape, self.dtype = str(path), found.shape, found.dtype
        self.offset = found.offset

    def __getitem__(self, part: Any) -> Any:
        start, stop, _ = part[0].indices(self.shape[0])
        at = self.offset + start * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, stop - start, offset=at)

    def __setitem__(self, part: Any, values: Any) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(self.offset + part[0].start * self.dtype.itemsize)
            file.write(np.ascontiguousarray(values).data)


Trees = dict[str, dict[str, Any]]  #: arrays by part and name


def dask_step(folder: Path, each: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return two works on Dask's arrays in files, which end with the results on the disk.

    One reads them, steps them, and stores the new ones beside.  The other is plain Dask's: it reads the same
    files, and stores p + g, m and v in the place of what a step makes.
    """
    import dask.array as da

    from adamcore import AdamState

    folder.mkdir()
    names = [f"w{k}" for k in range(LEAVES)]
    for name in names:
        for part in ("p", "m", "v", "g", "p.new", "m.new", "v.new"):
            np.save(folder / f"{name}.{part}.npy", np.full(each, part == "g", np.float32))

    def lazy(part: str) -> dict[str, Any]:
        files = {name: OnDisk(folder / f"{name}.{part}.npy") for name in names}
        return {name: da.from_array(x, chunks=CHUNK, name=False) for name, x in files.items()}

    def stored(trees: Trees) -> None:
        targets = {
            (part, name): OnDisk(folder / f"{name}.{part}.new.npy") for part in trees for name in names
        }
        files: Any = [*targets.values()]
        da.store([trees[part][name] for part, name in targets], files, lock=False)
        for file in files:
            sync(Path(file.path))

    def step() -> None:
        state = AdamState(dict.fromkeys(names, 1), lazy("m"), lazy("v"))
        new, after = Adam().step(lazy("p"), lazy("g"), state)
        stored({"p": new, "m": after.m, "v": after.v})

    def plain() -> None:
        p, g = lazy("p"), lazy("g")
        stored({"p": {name: p[name] + g[name] for name in names}, "m": lazy("m"), "v": lazy("v")})

    return step, plain


def reread(*arrays: Any, adam: Any, job: Any, names: Any, block_info: Any) -> list[Any]:
    """Return copies of what a step would change; the gradient was read for it."""
    found = dict(zip(names, arrays, strict=True))
    return [found[name].copy() for name in "pmv"]


@contextmanager
def worker(ceiling: int | None) -> Iterator[Any]:
    """Have a worker process of Dask's with two threads, whose memory has a ceiling; yield the client."""
    from dask import distributed

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address=None, memory_limit=ceiling, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def measure_dask(folder: Path, elements: int, ceiling: int, rounds: int) -> dict[str, Any]:
    """Return the times of rounds on Dask's distributed scheduler, and their ratios."""
    import dask.array as da
    from dask import distributed
    from dask.base import persist

    from adamcore.backends.dask import backend

    run = run_of(folder, elements)

    def step() -> None:
        run.step(folder / "grads", ceiling=ceiling)

    def tasks() -> None:
        run.step(folder / "grads", ceiling=ceiling, dask=True)

    def chunks() -> None:
        run.step({name: p + np.float32(1) for name, p in run.dask_params().items()}, ceiling=ceiling)

    def without_arithmetic(work: Callable[[], None]) -> None:
        with mock.patch.object(importlib.import_module(type(backend).__module__), "step_chunk", reread):
            work()

    def rounds_of(client: Any, *works: Callable[[], None]) -> list[list[tuple[float, float]]]:
        def used() -> float:
            return time.process_time() + sum(client.run(time.process_time).values())

        for work in works:
            work()
        return [[timed(work, used) for work in works] for _ in range(rounds)]

    lazy, plain = dask_step(folder / "dask", elements // LEAVES)
    with worker(ceiling) as client:
        rows = rounds_of(client, step, tasks, chunks, lazy, lambda: without_arithmetic(lazy), plain)
    with worker(None) as client:
        adam = Adam()
        p, g = persist(*(da.random.random(1 << 24, chunks=CHUNK).astype("float32") for _ in "pg"))
        p, state = persist(*adam.step(p, g, adam.init(p)))

        def once() -> None:
            new = persist(*adam.step(p, g, state))
            distributed.wait([new[0], new[1].m, new[1].v])

        beside = rounds_of(client, once, lambda: without_arithmetic(once))
    return {
        "elements": elements // LEAVES * LEAVES,
        "ceiling": ceiling,
        **compared([(row[1], row[0]) for row in rows], "tasks_to_run"),
        **compared([(row[2], row[0]) for row in rows], "chunks_to_run"),
        **compared([(row[3], row[0]) for row in rows], "lazy_to_run"),
        **compared([(row[3], row[4]) for row in rows], "lazy_to_no_arithmetic"),
        **compared([(row[3], row[5]) for row in rows], "lazy_to_plain"),
        **compared([(row[5], row[0]) for row in rows], "plain_to_run"),
        **compared([(a, b) for a, b in beside], "in_memory_to_no_arithmetic"),
        "times": rows,
        "times_in_memory": beside,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--part", choices=("files", "dask"), default="files")
    parser.add_argument("--elements", type=int, default=500_000_000)
    parser.add_argument("--ceiling", type=int, default=512, help="MiB")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where the files are made; on the disk to be measured")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        part = measure if given.part == "files" else measure_dask
        found = part(folder, given.elements, given.ceiling << 20, given.rounds)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(found, indent=2))
    if given.json:
        given.json.write_text(json.dumps({"environment": environment(), **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
