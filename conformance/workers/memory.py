"""The memory of a worker and of all processes that it started, so that one that takes too much is killed.

The check measures several times a second.  The kernel's own limits, RLIMIT_AS and RLIMIT_DATA, count
reserved memory.  CUDA and XLA reserve many times the memory of the machine, so a limit that lets them start
would stop nobody.

Private pages count: anonymous, shared and swapped-out ones.  Pages that are mapped from a library's file do
not: PyTorch has gigabytes of them, and processes share them.

The numbers come from /proc, so that workers have a limit on Linux only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:")
MB = 2**20
POLL_SECONDS = 0.1  #: between two measurements


def memory_of_tree(pid: int) -> int:
    """Return the bytes that a process and its descendants use, or 0 where /proc does not have them."""
    return sum(private_memory(one) for one in process_tree(pid))


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        with contextlib.suppress(OSError, ValueError):
            for task in os.listdir(PROC / str(one) / "task"):
                with contextlib.suppress(OSError, ValueError):
                    children = (PROC / str(one) / "task" / task / "children").read_text(encoding="utf-8")
                    waiting += [int(child) for child in children.split()]


def private_memory(pid: int) -> int:
    """Return the bytes of one process' anonymous, shared and swapped-out pages."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(COUNTED)) * 1024
    return 0
