"""How much memory a worker and all that it started have, so that one that takes too much is ended.

The parent looks, several times a second.  A limit that the kernel keeps would be RLIMIT_AS or
RLIMIT_DATA, but both count what is reserved and not what is used: CUDA and XLA reserve many times
the memory of the machine, so that a limit which lets them start would stop nobody.  What is counted
is private: anonymous, shared and swapped-out pages.  A library's own pages, mapped from its file,
are not: PyTorch has gigabytes of them, and they cost nothing twice.

Only Linux tells (/proc); elsewhere a worker has no limit of memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:")
MB = 2**20
POLL_SECONDS = 0.1  #: seconds between two looks


def memory_of_tree(pid: int) -> int:
    """Bytes that a process and its descendants have for themselves; 0 where that is not told."""
    return sum(private_memory(one) for one in process_tree(pid))


def process_tree(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
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
    """Bytes of one process' anonymous, shared and swapped-out pages."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(COUNTED)) * 1024
    return 0
