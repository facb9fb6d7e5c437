"""Cases that run on several real processes of one gloo group, and how each ended.

``python ranks.py WORLD`` forks so many processes and runs every function of :data:`MODULES` whose name starts
with ``case_``, on all of them at once; one group serves all cases.  It prints a JSON object:
"MODULE.CASE" -> "" or the traceback of each rank that failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

MODULES = ("sharded_steps",)
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = timedelta(seconds=60)  #: of a rank for the others, in one collective


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


def parameters(module: str, worlds: Sequence[int] = (2, 1, 4)) -> list[Any]:
    """Return a parameter of a test for each case: (world, module, name); only 2 processes run by default."""
    return [
        pytest.param(world, module, name, marks=[] if world == 2 else [pytest.mark.slow])
        for world in worlds
        for name in cases_of(module, world)
    ]


def check(world: int, module: str, name: str) -> None:
    """Fail with the tracebacks of the ranks unless a case ended well on so many processes."""
    end = ends_on(world)[f"{module}.{name}"]
    assert not end, end


@cache
def ends_on(world: int) -> dict[str, str]:
    """Run all cases on so many processes; return how each ended."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(HERE / "ranks.py"), str(world)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ends: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return ends


# The processes ---------------------------------------------------------------------------------------------


def work(world: int, rank: int, folder: str, modules: Sequence[str]) -> None:
    """Run all cases as one rank; the first writes how they ended."""
    import torch.distributed as dist

    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world, timeout=PATIENCE)
    ends = {}
    for module in modules:
        for name, case in cases_of(module, world).items():
            shared, error = Path(folder, f"{module}.{name}"), ""
            shared.mkdir(exist_ok=True)
            try:
                case(shared)
            except Exception:
                error = f"rank {rank}:\n{traceback.format_exc()}"
            errors: list[Any] = [None] * world
            dist.all_gather_object(errors, error)
            ends[shared.name] = "\n".join(filter(None, errors))
    if rank == 0:
        Path(folder, "ends.json").write_text(json.dumps(ends), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


def main(world: int, modules: Sequence[str]) -> None:
    """Run the cases of these modules, and print how they ended."""
    import torch.multiprocessing as mp

    for module in modules:  # once, before the processes are forked
        import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        context = mp.get_context("fork")
        processes = [context.Process(target=work, args=(world, k, folder, modules)) for k in range(world)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        codes = [process.exitcode for process in processes]
        if any(codes):
            raise SystemExit(f"{world} processes ended with {codes}")
        print(Path(folder, "ends.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or MODULES)
