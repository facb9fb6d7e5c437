"""A kernel run in PyTorch's own threads: the team of OpenMP that its operations use.

These threads are awake after a backward pass, because they spin for a while after each operation.  Other
threads would have to wake up first, and would then compete with them for the processors.
``GOMP_parallel`` of the library that PyTorch is linked with starts the team, as compiled code does.
Without OpenMP (macOS, Windows) the threads are those of :mod:`adamcore.backends.kernels.threads`.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from adamcore.backends.kernels import llvm, loop
from adamcore.backends.kernels import threads as kernel_threads
from adamcore.backends.kernels.threads import PARALLEL, PIECE_LOOP, run_pieces

PIECE = 1 << 16  #: elements that a thread takes at a time; a late one keeps the others waiting for one piece

_forked = False


def run_parallel(kernel: loop.Kernel, total: int, at: int) -> None:
    """Run a kernel over ``total`` elements of the table at the address ``at``, in threads if they pay."""
    threads = 1 if total < PARALLEL else torch.get_num_threads()
    if threads == 1:
        kernel(0, total, at)
        return
    run_team = None if _forked else team()
    if run_team is None:
        run_pieces(lambda lo, hi: kernel(lo, hi, at), total, kernel_threads.PIECE, threads)
        return
    address = ctypes.cast(kernel, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    work = array("q", (0, total, PIECE, address, at, 0))
    run_team(work.buffer_info()[0], threads)


@cache
def team() -> Callable[[int, int], None] | None:
    """Return a function that runs ``PIECE_LOOP`` in OpenMP's threads, or None without OpenMP.

    Its arguments are the address of the loop's six words and the number of threads.
    """
    if "ATen parallel backend: OpenMP" not in torch.__config__.parallel_info():
        return None
    try:  # a name is looked up in a library and in those that it is linked with
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        parallel = library.GOMP_parallel
    except (OSError, AttributeError):
        return None
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None
    turn, keep = llvm.link(PIECE_LOOP, "turn")

    def run(work: int, threads: int, keep: object = keep) -> None:
        parallel(turn, work, threads, 0)

    return run


def _after_fork() -> None:
    global _forked
    _forked = True  # the team's threads do not exist in the child, and OpenMP would wait for them


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
