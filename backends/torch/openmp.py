"""PyTorch's own threads for machine code: the team of OpenMP that its operations run in.

Those threads are awake when a step comes after a backward pass, and spin for a while after each
operation; a second set of threads would have to be woken first, and then compete with them for the
processors.  The team is started as a compiler would start it, by ``GOMP_parallel`` of the very library
that PyTorch is linked with; where there is none (macOS, Windows, another thread pool) threads are
those of :mod:`adamcore.backends.kernels.threads`.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.threads import PARALLEL, PIECE, TURN, spread

_forked = False


def run_parallel(kernel: llvm.Kernel, total: int, at: int) -> None:
    """Run a kernel over ``total`` elements of the table at ``at``, in threads where a second one pays."""
    threads = torch.get_num_threads()
    if total < PARALLEL or threads == 1:
        kernel(0, total, at)
        return
    team = None if _forked else start()
    if team is None:
        spread(lambda lo, hi: kernel(lo, hi, at), total, PIECE, threads)
        return
    address = ctypes.cast(kernel, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    work = array("q", (0, total, PIECE, address, at, 0))
    team(work.buffer_info()[0], threads)


@cache
def start() -> Callable[[int, int], None] | None:
    """A function of the address of what ``TURN`` reads and a number of threads; None without OpenMP."""
    if "ATen parallel backend: OpenMP" not in torch.__config__.parallel_info():
        return None
    try:  # a name is looked up in a library and in those that it is linked with
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        parallel = library.GOMP_parallel
    except (OSError, AttributeError):
        return None
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None
    turn, keep = llvm.link(TURN, "turn")

    def team(work: int, threads: int, keep: object = keep) -> None:
        parallel(turn, work, threads, 0)

    return team


def _after_fork() -> None:
    global _forked
    _forked = True  # the team's threads don't survive it, and OpenMP would wait for them


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
