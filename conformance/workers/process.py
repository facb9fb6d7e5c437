"""A worker as the check sees it: a process with a limit on time and memory, and the end of its stderr."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Literal

from adamcore.conformance.workers.launch import MARK, launch
from adamcore.conformance.workers.memory import MB, POLL_SECONDS, memory_of_tree

STDERR_KEPT = 4000  #: bytes of a worker's standard error that are kept


class Worker:
    """A process that reads its job and answers in lines.

    Args:
        job: returns the bytes of its standard input; called while the process starts.
        environment: its environment variables.
        memory: MB that it and the processes that it starts may use together.
    """

    def __init__(self, job: Callable[[], bytes], environment: Mapping[str, str], memory: float) -> None:
        self.process, self.mark, _ = launch(environment)
        self.memory, self.overrun = memory, 0.0
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        self.errors, self.closed = b"", threading.Event()
        work = (self.read_lines, self.keep_end, self.watch, partial(self.feed, job))
        self.threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in self.threads:
            thread.start()

    def line(self, timeout: float, stop: threading.Event) -> bytes | Literal["late"] | None:
        """Return the next line, or None at the end of the output, or "late".

        "late" means that ``timeout`` seconds have passed or that ``stop`` is set.
        """
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and not stop.is_set():
            with contextlib.suppress(queue.Empty):
                return self.lines.get(timeout=min(0.25, left))
        return "late"

    def ending(self) -> str:
        """Wait for the end of the process and return how it ended, in words."""
        code = self.process.wait()
        if self.overrun:
            return f"took {self.overrun:.0f} MB of memory, more than {self.memory:g}: killed"
        if code >= 0:
            return f"exited with status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"killed by {name}" + (" (is the machine out of memory?)" if name == "SIGKILL" else "")

    def last_words(self) -> str:
        """Kill the process and return the last lines of its standard error."""
        self.kill()
        self.threads[1].join(timeout=1)
        tail = "\n".join(
            line[:200] for line in self.errors.decode("utf-8", "replace").strip().splitlines()[-8:]
        )
        return f"; it last wrote:\n{tail}" if tail else ""

    def kill(self) -> None:
        """Kill the process and all processes that it started.

        One that has left the process group is known by its environment, on Linux.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        for pid in processes_with(MARK, self.mark):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and wait for the threads that read from it."""
        self.closed.set()
        self.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join(timeout=1)

    def feed(self, job: Callable[[], bytes]) -> None:
        """Write its standard input, in a thread that may wait for the process to read."""
        with contextlib.suppress(BrokenPipeError), require_pipe(self.process.stdin) as stream:
            stream.write(job())

    def read_lines(self) -> None:
        """Put each line of its standard output into the queue, and None at the end."""
        with require_pipe(self.process.stdout) as stream:
            for line in stream:
                self.lines.put(line)
        self.lines.put(None)

    def keep_end(self) -> None:
        """Read its standard error and keep only the end."""
        with require_pipe(self.process.stderr) as stream:
            while chunk := stream.read1(65536):  # type: ignore[attr-defined]
                self.errors = (self.errors + chunk)[-STDERR_KEPT:]

    def watch(self) -> None:
        """Kill the process when it uses too much memory."""
        while not self.closed.wait(POLL_SECONDS) and self.process.returncode is None:
            taken = memory_of_tree(self.process.pid) / MB
            if taken > self.memory:
                self.overrun = taken
                self.kill()
                return


def require_pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def processes_with(name: str, value: str) -> Iterator[int]:
    """Yield the processes that were started with this variable, where /proc tells it."""
    entry = f"{name}={value}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
