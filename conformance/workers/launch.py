"""Processes for workers: started when one is wanted, or ahead, while the check itself is still imported.

A process that is started ahead imports what every worker imports, and waits for its job.  A worker that is
wanted in the same environment takes it.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from adamcore.conformance.workers.environment import worker_environment

#: With -P the worker imports its own modules from nowhere else, whatever files lie in the current folder.
COMMAND = [sys.executable, "-P", "-m", "adamcore.conformance.workers.worker"]
MARK = "ADAMCORE_WORKER"  #: a variable by which what a worker started is known, also in another session


class Launched(NamedTuple):
    """A process that waits for its job on standard input."""

    process: subprocess.Popen[bytes]
    mark: str  #: the value of :data:`MARK` in it
    environment: dict[str, str]  #: without MARK


_waiting: list[Launched] = []
_lock = threading.Lock()  #: for the threads that take one


@contextlib.contextmanager
def launched_ahead(dtypes: Iterable[str]) -> Iterator[None]:
    """Start a process for a worker in each dtype; those that no worker took end with the context."""
    mine = [start(worker_environment(dtype)) for dtype in dtypes]
    _waiting.extend(mine)
    try:
        yield
    finally:
        for launched in mine:
            if take(launched.environment, [launched]):
                launched.process.kill()
                launched.process.communicate()


def launch(environment: Mapping[str, str]) -> Launched:
    """Return a process in this environment: one that was started ahead, or a new one."""
    return take(environment, _waiting) or start(environment)


def take(environment: Mapping[str, str], among: Iterable[Launched]) -> Launched | None:
    """Return one of some processes that still waits, and has this environment; None if there is none."""
    with _lock:
        for launched in among:
            if launched in _waiting and launched.environment == environment:
                _waiting.remove(launched)
                return launched
    return None


def start(environment: Mapping[str, str]) -> Launched:
    """Start a process."""
    mark = secrets.token_hex(16)
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, MARK: mark},
        start_new_session=True,
    )
    return Launched(process, mark, dict(environment))
