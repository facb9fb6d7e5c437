"""Starts worker processes, several at once, and streams what they report.

A worker that crashes, exits early, hangs or cannot import its candidate ends its job as broken,
with the end of its standard error; it never ends the check.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal, get_args

from adamcore.conformance.candidates.base import Info
from adamcore.conformance.probe import Probe, Run
from adamcore.conformance.wire import Json, pack_probe, unpack_run

STDERR_KEPT = 4000  #: bytes of a worker's standard error that are kept


@dataclass(frozen=True, eq=False)
class Job:
    """One process' work: a candidate, a dtype, and which probe to run under which claim."""

    target: str
    dtype: str
    claims: Sequence[Json | None]  #: fields of Adam, for own backends
    probes: Sequence[Probe]
    tasks: Sequence[tuple[int, int]]  #: (claim, probe)
    settings: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None


@dataclass(frozen=True)
class Ready:
    job: Job
    info: Info


@dataclass(frozen=True)
class Done:
    job: Job
    task: int
    run: Run


#: Why a job could not be done: a wrong --set, a library or device that is not here, a candidate that broke.
Problem = Literal["usage", "unavailable", "broken"]


@dataclass(frozen=True)
class Ended:
    """The job is over; ``problem`` is None if all its tasks were done."""

    job: Job
    problem: Problem | None = None
    reason: str = ""


Event = Ready | Done | Ended


def run_jobs(jobs: Sequence[Job], timeout: float, parallel: int) -> Iterator[Event]:
    """Run the jobs, ``parallel`` at a time, and yield events as they come.

    Args:
        jobs: what to run, started in this order.
        timeout: seconds in which a worker must finish its start or its next probe.
        parallel: how many processes at once.
    """
    events: queue.Queue[Event] = queue.Queue()
    waiting = deque(jobs)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                job = waiting.popleft()
            except IndexError:
                return
            try:
                for event in run_job(job, timeout, stop):
                    events.put(event)
            except Exception as error:  # a fault of ours: still an end, so that nobody waits
                events.put(Ended(job, "broken", f"{type(error).__name__}: {error}"))

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(parallel, len(jobs)))]
    for thread in threads:
        thread.start()
    left = len(jobs)
    try:
        while left:
            event = events.get()
            left -= isinstance(event, Ended)
            yield event
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=5)


def run_job(job: Job, timeout: float, stop: threading.Event) -> Iterator[Event]:
    """Run one job in one worker."""
    with tempfile.TemporaryFile() as standard_input:  # a file, so that writing it cannot block
        standard_input.write(json.dumps(packed(job)).encode())
        standard_input.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "adamcore.conformance.worker"],
            stdin=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(job.dtype),
            start_new_session=True,
        )
    lines: queue.Queue[bytes | None] = queue.Queue()
    errors: deque[bytes] = deque()
    threads = [
        threading.Thread(target=read_lines, args=(process.stdout, lines), daemon=True),
        threading.Thread(target=keep_end, args=(process.stderr, errors), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield from follow(job, process, lines, timeout, stop, errors, threads[1])
    finally:
        kill_group(process)
        process.wait()
        for thread in threads:
            thread.join(timeout=1)


def follow(
    job: Job,
    process: subprocess.Popen[bytes],
    lines: queue.Queue[bytes | None],
    timeout: float,
    stop: threading.Event,
    errors: deque[bytes],
    error_thread: threading.Thread,
) -> Iterator[Event]:
    """Turn a worker's lines into events, up to the one that ends the job."""
    started, done = False, 0

    def broken(reason: str) -> Ended:
        return Ended(job, "broken", reason + last_words(errors))

    while True:
        line = wait_line(lines, timeout, stop)
        if line is TIMED_OUT:
            kill_group(process)
            where = f"for probe {name_of(job, done)}" if started else "to start"
            yield broken(f"gave no answer for {timeout:g} s, waiting {where}: killed")
            return
        if line is None:
            code = process.wait()
            error_thread.join(timeout=1)
            where = f"at probe {name_of(job, done)}" if started else "at the start"
            yield broken(f"{ending(code)} {where}")
            return
        message = json.loads(line)
        if "run" in message:
            done += 1
            yield Done(job, message["task"], unpack_run(message["run"]))
        elif "ready" in message:
            started, ready = True, message["ready"]
            yield Ready(job, Info(**ready | {"lacks": tuple(ready["lacks"])}))
        else:
            problem = next((p for p in get_args(Problem) if p in message), None)
            yield Ended(job, problem, message.get(problem, ""))
            return


TIMED_OUT = b""  #: no line of a worker is empty


def wait_line(lines: queue.Queue[bytes | None], timeout: float, stop: threading.Event) -> bytes | None:
    """The next line, None at the end of the stream, or TIMED_OUT (also when all is to stop)."""
    waited = 0.0
    while waited < timeout and not stop.is_set():
        slice_ = min(0.25, timeout - waited)
        try:
            return lines.get(timeout=slice_)
        except queue.Empty:
            waited += slice_
    return TIMED_OUT


def read_lines(stream: IO[bytes] | None, lines: queue.Queue[bytes | None]) -> None:
    assert stream is not None
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def keep_end(stream: IO[bytes] | None, errors: deque[bytes]) -> None:
    """Drain a stream, keeping only its end."""
    assert stream is not None
    kept = b""
    with stream:
        while chunk := stream.read1(65536):  # type: ignore[attr-defined]
            kept = (kept + chunk)[-STDERR_KEPT:]
            errors.append(kept)
            if len(errors) > 1:
                errors.popleft()


def last_words(errors: deque[bytes]) -> str:
    """The last lines that a worker wrote to its standard error."""
    text = errors[-1].decode("utf-8", "replace").strip() if errors else ""
    tail = "\n".join(line[:200] for line in text.splitlines()[-8:])
    return f"; it last wrote:\n{tail}" if tail else ""


def ending(code: int) -> str:
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exited with status {code}"


def name_of(job: Job, task: int) -> str:
    return job.probes[job.tasks[task][1]].name if task < len(job.tasks) else "(after the last)"


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the worker and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def environment(dtype: str) -> dict[str, str]:
    """JAX has float64 only where it is switched on, and behaves otherwise there: one process each."""
    return os.environ | {
        "JAX_ENABLE_X64": "1" if dtype == "float64" else "0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONUNBUFFERED": "1",
    }


def packed(job: Job) -> dict[str, Any]:
    return {
        "target": job.target,
        "dtype": job.dtype,
        "device": job.device,
        "settings": dict(job.settings),
        "claims": list(job.claims),
        "probes": [pack_probe(probe) for probe in job.probes],
        "tasks": [list(task) for task in job.tasks],
    }
