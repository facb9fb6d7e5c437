"""Commands under a time limit, whose whole process group ends with them, and with this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from fieldguide.errors import StoppedError
from fieldguide.guard import Guard

TAIL = 1500  #: characters of a failed command's output that are told

_running: set[subprocess.Popen[bytes]] = set()
_ended: set[subprocess.Popen[bytes]] = set()  #: by end_all
_lock = threading.Lock()
_guard = Guard()


def run_command(
    command: Sequence[str],
    *,
    limit: float,
    log: Path,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> int | None:
    """Run a command and return its exit status, or None if it ran out of time and was ended.

    Raises:
        StoppedError: the whole run was stopped meanwhile, and the command with it.

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
            _guard.begins(process.pid)
        try:
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end(process)
            with _lock:
                _running.discard(process)
                _guard.ends(process.pid)
                stopped = process in _ended
                _ended.discard(process)
    if stopped:
        raise StoppedError(f"{command[0]} was ended with the run")
    return status


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_all() -> None:
    """End every command that runs now."""
    with _lock:
        running = list(_running)
        _ended.update(running)
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
