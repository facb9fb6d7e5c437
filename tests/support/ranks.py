"""Cases that run on several real processes of one gloo group, and how each ended.

``python ranks.py RUN`` carries out a run of :data:`RUNS`.  For each number of processes it forks them, and
they run every function of its modules whose name starts with ``case_``; one group serves all cases.
It prints a JSON object: "PROCESSES MODULE.CASE" -> "" or the traceback of each rank that failed.
The workers of pytest-xdist share one run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from cases import Item, spread

MODULES = (
    "sharded_steps",
    "sharded_blocks",
    "sharded_checkpoints",
    "sharded_engines",
    "sharded_checks",
    "sharded_page",
)
ALL = "all"  #: stands for every case where the processes themselves have failed
RESUMED = ("sharded_resumed",)  #: checkpoints of 2 processes, on other numbers of them
Run = Sequence[tuple[int, Sequence[str]]]  #: numbers of processes, and the modules whose cases they run
ABRIDGED = ("sharded_steps", "sharded_blocks", "sharded_checkpoints", *RESUMED)  #: more in a thorough run
RUNS: dict[str, Run] = {
    "few": [(2, (*MODULES, *RESUMED)), (4, RESUMED), (1, RESUMED)],
    "all": [(1, MODULES), (4, MODULES), (2, ABRIDGED), (4, RESUMED), (1, RESUMED)],
}
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = timedelta(minutes=5)  #: of a rank for the others, in one collective; a machine may stand still
GRACE = 20.0  #: seconds that a rank which has failed waits for the others; then it ends, and they do


def cases_of(module: str, world: int) -> dict[str, Callable[[Path], None]]:
    """Return the cases of a module that run on so many processes, by name."""
    found = vars(import_module(module)).items()
    return {k: v for k, v in found if k.startswith("case_") and world in getattr(v, "worlds", (world,))}


def only_on(*worlds: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator of a case that runs on these numbers of processes alone."""

    def mark(case: Callable[..., Any]) -> Callable[..., Any]:
        case.worlds = worlds  # type: ignore[attr-defined]
        return case

    return mark


def parameters(module: str) -> list[Any]:
    """Return a parameter of a test for each case of a module: (run, processes, name); one run is slow."""
    return [
        pytest.param(run, world, f"{module}.{name}", marks=[] if run == "few" else [pytest.mark.slow])
        for run, parts in RUNS.items()
        for world, modules in parts
        if module in modules
        for name in cases_of(module, world)
    ]


def is_thorough() -> bool:
    """True in the processes of a run that may take its time: a case leaves nothing out."""
    return sys.argv[1:2] != ["few"]


def few(items: Iterable[Item], count: int) -> list[Item]:
    """Return ``count`` of the items, equally far apart, or in a thorough run all of them."""
    return list(items) if is_thorough() else spread(items, count)


def check(run: str, world: int, name: str, base: Path) -> None:
    """Fail with the tracebacks of the ranks unless a case ended well on so many processes.

    Args:
        run: the name of a run.
        world: how many processes.
        name: the case.
        base: the folder of this session's temporary files.
    """
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    ends = ends_of(run, shared)
    end = ends.get(ALL) or ends[f"{world} {name}"]
    assert not end, end


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other worker is in here."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(lock, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def ends_of(run: str, shared: Path) -> dict[str, str]:
    """Return how each case of a run ended; the first worker that asks carries it out."""
    known = shared / f"ranks-{run}.json"
    with alone(shared / f"ranks-{run}.lock"):
        if not known.exists():
            known.write_text(json.dumps(carried_out(run)), encoding="utf-8")
        ends: dict[str, str] = json.loads(known.read_text(encoding="utf-8"))
    return ends


def carried_out(run: str) -> dict[str, str]:
    """Carry out a run; return how each case ended.  A run that fails is not made again for each case."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "ranks.py"), run]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return {ALL: done.stderr[-4000:]}
    ends: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return ends


# The processes ---------------------------------------------------------------------------------------------


def work(world: int, rank: int, folder: Path, modules: Sequence[str]) -> None:
    """Run all cases as one rank; the first writes how they ended."""
    import torch.distributed as dist

    store = f"file://{folder}/store{world}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world, timeout=PATIENCE)
    ends = {}
    for module in modules:
        for name, case in cases_of(module, world).items():
            error = ""
            try:
                case(folder)
            except Exception:
                error = f"rank {rank}, {name}:\n{traceback.format_exc()}"
            ends[f"{world} {module}.{name}"] = error_of_all(error, folder / f"error{world}-{rank}")
    if rank == 0:
        (folder / f"ends{world}.json").write_text(json.dumps(ends), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


def error_of_all(error: str, file: Path) -> str:
    """Return the errors of all ranks in a case.

    Others may wait for a rank that has failed alone.  So it ends, which ends them; its error is in a file.
    """
    import torch.distributed as dist

    end = Timer(GRACE, os._exit, [1])
    end.daemon = True
    if error:
        file.write_text(error, encoding="utf-8")
        end.start()
    errors: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(errors, error)
    end.cancel()
    file.unlink(missing_ok=True)
    return "\n".join(filter(None, errors))


def main(run: Run) -> None:
    """Carry out a run, and print how its cases ended."""
    import torch.multiprocessing as mp

    for module in chain.from_iterable(modules for _, modules in run):  # before the processes are forked
        import_module(module)
    context = mp.get_context("fork")
    ends: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for world, modules in run:
            (folder / f"store{world}").unlink(
                missing_ok=True
            )  # of as many processes before, with their addresses
            processes = [context.Process(target=work, args=(world, k, folder, modules)) for k in range(world)]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
            codes = [process.exitcode for process in processes]
            if any(codes):
                alone = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("error*"))]
                raise SystemExit("\n".join([f"{world} processes ended with {codes}", *alone]))
            ends |= json.loads((folder / f"ends{world}.json").read_text(encoding="utf-8"))
    print(json.dumps(ends))


if __name__ == "__main__":
    main(RUNS.get(sys.argv[1]) or [(int(sys.argv[1]), sys.argv[2:])])
