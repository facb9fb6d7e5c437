"""Commands under a time limit, whose whole process group ends with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

TAIL = 1500  #: characters of a failed command's output that are told

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


def run_command(
    command: Sequence[str],
    *,
    limit: float,
    log: Path,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> int | None:
    """Run a command and return its exit status, or None if it ran out of time and was ended.

    Args:
        command: the program and its arguments.
        limit: seconds that it has.
        log: the file that gets standard output and standard error.
        variables: environment variables beside the present ones.
        folder: where it runs.
    """
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(variables or {})},
            start_new_session=True,
        )
        with _lock:
            _running.add(process)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end(process)
            with _lock:
                _running.discard(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_all() -> None:
    """End every command that runs now."""
    with _lock:
        running = list(_running)
    for process in running:
        end(process)


def tail(log: Path, length: int = TAIL) -> str:
    """Return the end of what a command wrote.

    >>> tail(Path("/no/such/file"))
    ''
    """
    try:
        return log.read_bytes()[-4 * length :].decode(errors="replace")[-length:].strip()
    except OSError:
        return ""
