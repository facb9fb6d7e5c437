"""The pool of worker processes: runs jobs, several at the same time, and yields their events.

A worker can crash, exit early, hang, take too much memory or fail to import its candidate.  Its job then
ends as broken, with the end of its standard error.  The check goes on.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any, Literal, get_args

from adamcore.conformance.candidates.adapter.arguments import REQUIRED
from adamcore.conformance.candidates.adapter.base import CandidateInfo
from adamcore.conformance.settings import MEMORY, Ranks
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.wire import Json, pack_probe, unpack_run
from adamcore.conformance.workers.environment import worker_environment
from adamcore.conformance.workers.process import Worker


@dataclass(frozen=True, eq=False)
class WorkerJob:
    """The job of one worker: a candidate, a dtype, and which probe to run under which claim."""

    target: str
    dtype: str
    claims: Sequence[Json | None]  #: fields of Adam for a backend of adamcore, None for others
    probes: Sequence[Probe]
    tasks: Sequence[tuple[int, int]]  #: each a position in ``claims`` and one in ``probes``
    settings: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    required: Sequence[str] = REQUIRED  #: hyperparameters that a constructor has to have an argument for
    shares: bool = False  #: True if one worker may do this job and the target's other ones
    ranks: Ranks | None = None  #: the processes on which the candidate runs; None: the worker alone

    def probe_of(self, task: int) -> Probe:
        """Return the probe of a task."""
        _, probe = self.tasks[task]
        return self.probes[probe]


@dataclass(frozen=True)
class ReadyEvent:
    """The worker has loaded its candidate."""

    job: WorkerJob
    info: CandidateInfo
    alone: bool = False  #: True if this process cannot run the candidate in another dtype


@dataclass(frozen=True)
class RunEvent:
    """The worker has finished a task."""

    job: WorkerJob
    task: int
    run: Run


#: Why a job failed: a wrong ``--set``, a library or device that is not available, a candidate that broke.
Problem = Literal["usage", "unavailable", "broken"]


@dataclass(frozen=True)
class EndEvent:
    """The job is over; ``problem`` is None if all its tasks were done."""

    job: WorkerJob
    problem: Problem | None = None
    reason: str = ""


Event = ReadyEvent | RunEvent | EndEvent


def run_jobs(
    jobs: Sequence[WorkerJob],
    timeout: float,
    parallel: int,
    memory: float = MEMORY,
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[Event]:
    """Run the jobs and yield their events as they arrive.

    Args:
        jobs: what to run; they start in this order.
        timeout: seconds that a worker has to start, and then for each probe.
        parallel: how many workers run at the same time.
        memory: MB that a worker and the processes that it starts may use together.
        meanwhile: called once the first workers have started, before their events are looked at.
    """
    events: queue.Queue[Event] = queue.Queue()
    waiting: queue.Queue[Sequence[WorkerJob] | None] = queue.Queue()
    stop = threading.Event()

    def serve() -> None:
        while (group := waiting.get()) is not None and not stop.is_set():
            unfinished = dict.fromkeys(group)

            def put_back(jobs: Sequence[WorkerJob], unfinished: dict[WorkerJob, None] = unfinished) -> None:
                for job in jobs:
                    del unfinished[job]
                waiting.put(jobs)

            try:
                for event in run_group(group, timeout, stop, memory, put_back):
                    if isinstance(event, EndEvent):
                        del unfinished[event.job]
                    events.put(event)
            except Exception as error:  # a bug in this module; the consumer still needs an end of each job
                for job in unfinished:
                    events.put(EndEvent(job, "broken", f"{type(error).__name__}: {error}"))

    for group in groups_of(jobs):
        waiting.put(group)
    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(parallel, len(jobs)))]
    for thread in threads:
        thread.start()
    unfinished = len(jobs)
    try:
        if meanwhile:
            meanwhile()
        while unfinished:
            event = events.get()
            unfinished -= isinstance(event, EndEvent)
            yield event
    finally:
        stop.set()
        for _ in threads:
            waiting.put(None)
        for thread in threads:
            thread.join(timeout=5)


def groups_of(jobs: Sequence[WorkerJob]) -> list[list[WorkerJob]]:
    """Return the jobs in groups, one for each worker; only jobs that share one are in a group of several."""
    keys = ((job.target if job.shares else number, job) for number, job in enumerate(jobs))
    return [[job for _, job in group] for _, group in groupby(keys, lambda pair: pair[0])]


def run_job(job: WorkerJob, timeout: float, stop: threading.Event, memory: float = MEMORY) -> Iterator[Event]:
    """Run one job in one worker and yield its events."""
    return run_group([job], timeout, stop, memory, lambda jobs: None)


def run_group(
    jobs: Sequence[WorkerJob],
    timeout: float,
    stop: threading.Event,
    memory: float,
    put_back: Callable[[Sequence[WorkerJob]], None],
) -> Iterator[Event]:
    """Run jobs in one worker, one after the other, and yield their events.

    Jobs after one that broke the worker have another worker.  If the candidate cannot run in another dtype
    in this process, those that are left are handed to ``put_back``.
    """
    left = deque(jobs)
    while left and not stop.is_set():
        environment = worker_environment(left[0].dtype, left[0].ranks)
        worker = Worker(partial(pack_jobs, list(left), timeout), environment, memory)
        try:
            goes_on = True
            while left and goes_on:
                broken = False
                for event in worker_events(left.popleft(), worker, timeout, stop):
                    if isinstance(event, ReadyEvent) and event.alone and left:
                        put_back(list(left))
                        left.clear()
                    broken = isinstance(event, EndEvent) and event.problem == "broken"
                    yield event
                goes_on = bool(left) and not broken and worker.line(timeout, stop) == NEXT
        finally:
            worker.close()


NEXT = b'{"next": true}\n'  #: the line with which a worker goes on to its next job


def worker_events(job: WorkerJob, worker: Worker, timeout: float, stop: threading.Event) -> Iterator[Event]:
    """Yield the events of a worker's lines, up to the end of the job."""
    started, done = False, 0
    event: Event
    while True:
        line = worker.line(timeout, stop)
        probe = f"probe {probe_name(job, done)}"
        if line == "late":
            where = f"for {probe}" if started else "to start"
            event = EndEvent(job, "broken", f"gave no answer for {timeout:g} s, waiting {where}: killed")
        elif line is None:
            event = EndEvent(
                job, "broken", f"{worker.ending()} {f'at {probe}' if started else 'at the start'}"
            )
        else:
            event = parse_event(job, line)
        if isinstance(event, EndEvent):
            said = worker.last_words() if event.problem == "broken" else ""
            yield replace(event, reason=event.reason + said)
            return
        started, done = True, done + isinstance(event, RunEvent)
        yield event


def parse_event(job: WorkerJob, line: bytes) -> Event:
    """Return the event that a worker's line describes."""
    try:
        message = json.loads(line)
        if "run" in message:
            return RunEvent(job, message["task"], unpack_run(message["run"]))
        if "ready" in message:
            ready = message["ready"]
            info = CandidateInfo(**ready | {"lacks": tuple(ready["lacks"])})
            return ReadyEvent(job, info, message["alone"])
        problem = next((p for p in get_args(Problem) if p in message), None)
        return EndEvent(job, problem, message.get(problem, ""))
    except (ValueError, LookupError, TypeError) as error:
        return EndEvent(
            job, "broken", f"wrote into the channel of the check: {type(error).__name__}: {error}"
        )


def probe_name(job: WorkerJob, task: int) -> str:
    return job.probe_of(task).name if task < len(job.tasks) else "(after the last)"


def pack_jobs(jobs: Sequence[WorkerJob], timeout: float) -> bytes:
    """Return the standard input of a worker."""
    request = [pack_job(job) | {"timeout": timeout, "parent": os.getpid()} for job in jobs]
    return json.dumps(request).encode()


def pack_job(job: WorkerJob) -> dict[str, Any]:
    return {
        "target": job.target,
        "dtype": job.dtype,
        "device": job.device,
        "settings": dict(job.settings),
        "required": list(job.required),
        "ranks": job.ranks,
        "shares": job.shares,
        "claims": list(job.claims),
        "probes": [pack_probe(probe) for probe in job.probes],
        "tasks": [list(task) for task in job.tasks],
    }
