"""Who may step a run, and who may write what its step writes.

A step that is made by tasks of Dask's can leave tasks behind: its process is killed, or a worker is given up
while it still works.  So a task keeps a lock while it writes, and looks first whether its step is still being
made.  A step begins when no task keeps the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has no locks of files
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from stepping the run in this folder, where the system has locks of files.

    Raises:
        BlockingIOError: another process steps it now.
    """
    with open(folder / "lock", "wb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def without_tasks(folder: Path) -> Iterator[None]:
    """Wait until no task writes in this folder, and keep tasks from it."""
    with open(folder / "tasks", "wb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def as_task(folder: Path) -> Iterator[None]:
    """Be one of the tasks that write in this folder.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    with open(folder / "tasks", "rb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_SH)
        yield
