"""``assert_conforms``: a check as an assertion, also for a class that a test has just defined."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from inspect import signature
from pathlib import Path
from typing import Any

from adamcore.conformance.candidates.adapter.arguments import class_of
from adamcore.conformance.candidates.targets import made_already, make_candidate
from adamcore.conformance.checking.check import check, measure_parts
from adamcore.conformance.checking.selection import select_probes
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.checking.validate import validate_options
from adamcore.conformance.errors import CandidateError, ConformanceError, UnavailableError, UsageError
from adamcore.conformance.report.report import Entry, Report, environment
from adamcore.conformance.report.text import failure_texts, finding_text
from adamcore.conformance.settings import DTYPES, MEMORY, PARALLEL, TIMEOUT
from adamcore.conformance.workers.pool import EndEvent, Event, ReadyEvent, RunEvent, WorkerJob
from adamcore.conformance.workers.worker import try_probe

FIND_ORIGIN = """
import importlib.util as u, sys
top, full = sys.argv[1:]
spec = u.find_spec(top)
if spec is not None and spec.origin is None:
    spec = u.find_spec(full)
print(spec.origin or "" if spec else "")
"""


def assert_conforms(target: Any, dialect: str | None = None, **options: Any) -> Report:
    """Return the report of a target that conforms; raise :class:`ConformanceError` otherwise.

    Args:
        target: what ``adamcore check`` takes, or an optimizer class, an optax factory or an array candidate.
            An object that a new process can import runs in a worker process.  Any other object runs in this
            process, without a time limit.
        dialect: the claim.
        options: those of :func:`adamcore.conformance.check`.

    Raises:
        ConformanceError: the target deviates, broke or is not available.
        UsageError: the target or an option makes no sense.
    """
    __tracebackhide__ = True
    if not isinstance(target, str) and not callable(target):
        kind = type(target).__name__
        raise UsageError(f"target is {kind}, expected text, a class or a factory{made_already(target)}")
    name = target if isinstance(target, str) else importable_target(target)
    if name is not None:
        report = check([name], dialect=dialect, **options)
    else:
        report = check_in_process(target, dialect, **options)
    if report.exit_code:
        raise ConformanceError(failure_message(report))
    return report


def failure_message(report: Report) -> str:
    """Return why a report does not conform, with its findings."""
    return "\n\n".join(entry_text(e) for e in report.entries if e.verdict != "conforms")


def entry_text(entry: Entry) -> str:
    """Return one candidate's findings as text, or its first failure if there are none."""
    if entry.reason:
        return f"{entry.target} is {entry.verdict}: {entry.reason}"
    parts = [f"{entry.target} deviates from {entry.claimed}"]
    if entry.identified and entry.identified != entry.claimed:
        parts[0] += f"; it behaves like {entry.identified}"
    failures = [r for r in entry.results if entry.failed(r)]
    errors = [finding_text(f) for f in entry.findings if f.level == "error"]
    parts += errors or ["\n".join(failure_texts(entry, r)) for r in failures[:1]]
    judged = [r for r in entry.results if r.status != "skipped"]
    return "\n\n".join([*parts, f"{len(failures)} of {len(judged)} probes failed"])


def importable_target(found: Any) -> str | None:
    """Return the target under which a new process can import this object, or None if it cannot."""
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__" or "<" in name:
        return None
    here: Any = sys.modules.get(module)
    origin = getattr(here, "__file__", None)
    for part in name.split("."):
        here = getattr(here, part, None)
    top = module.partition(".")[0]
    first = getattr(getattr(sys.modules.get(top), "__spec__", None), "origin", None)
    expected = first or origin
    if here is not found or expected is None:
        return None
    there = module_origin(top, module)
    return f"{module}:{name}" if there and Path(there).resolve() == Path(expected).resolve() else None


@cache
def module_origin(top: str, module: str) -> str:
    """Return the file from which a new process imports a module or its package."""
    found = subprocess.run([sys.executable, "-c", FIND_ORIGIN, top, module], capture_output=True, text=True)
    return found.stdout.strip()


def check_in_process(
    found: Any,
    dialect: str | None,
    *,
    dtypes: Sequence[str] = DTYPES,
    device: str | None = None,
    settings: Mapping[str, str] | None = None,
    probes: Sequence[str] = (),
    timeout: float | None = None,
    parallel: int | None = None,
    memory: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **others: Any,
) -> Report:
    """Check an object in this process; ``timeout``, ``parallel``, ``memory`` and ``progress`` have no effect.

    Its warnings are not shown, as those of a worker are not: the probes overflow on purpose.

    Raises:
        UsageError: ``others`` has an option of :func:`check` that needs a process of its own.
        TypeError: it has what is no option.
    """
    for name in others:
        if name not in signature(check).parameters:
            raise TypeError(f"assert_conforms() got an unexpected keyword argument {name!r}")
        raise UsageError(
            f"{name}={others[name]!r}: expected a target that a new process can import; put "
            f"{getattr(found, '__qualname__', found)} into a module of its own"
        )
    seconds, workers = TIMEOUT if timeout is None else timeout, PARALLEL if parallel is None else parallel
    validate_options(dialect, dtypes, device, settings, probes, seconds, workers, MEMORY)
    made = class_of(found)
    name = getattr(made, "__qualname__", type(made).__name__).rpartition("<locals>.")[2]
    target = f"{getattr(made, '__module__', '?')}:{name}"
    subject = InProcess(target, dialect, dict(settings or {}), device, select_probes(probes), dtypes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for job in subject.jobs:
            for event in run_in_process(found, job):
                if isinstance(event, ReadyEvent):
                    subject.on_ready(event.info)
                elif isinstance(event, RunEvent):
                    subject.on_run(job, event.task, event.run)
                elif isinstance(event, EndEvent):
                    subject.on_end(None if event.problem == "usage" else event.problem, event.reason)
        measure_parts(subject, partial(run_in_process, found))
    return Report(subject.entries(), environment({target: subject.info.device} if subject.info else {}))


class InProcess(ThirdParty):
    """An object that no other process can import: only its own test, or program, can show a failure again."""

    def repro_command(self, probe: str, claimed: str) -> str:
        """Return the call of :func:`assert_conforms` that runs one probe again."""
        words = [self.target.rpartition(":")[2], *([repr(self.dialect)] if self.dialect else [])]
        options = {"dtypes": list(self.dtypes), "device": self.device, "settings": self.settings}
        given = {"probes": [probe]} | {name: value for name, value in options.items() if value}
        words += [f"{name}={value!r}" for name, value in given.items()]
        return f"assert_conforms({', '.join(words)})  # where it is defined: no command can import it"


def run_in_process(found: Any, job: WorkerJob) -> Iterator[Event]:
    """Run one job as a worker does, and yield its events."""
    with jax_precision(job.dtype):
        try:
            candidate = make_candidate(job.target, found, job.settings, job.device)
            yield ReadyEvent(job, candidate.info)
            refusals = []
            for task, (_, number) in enumerate(job.tasks):
                run, refusal = try_probe(candidate, job.probes[number], job.dtype)
                refusals.append(refusal)
                yield RunEvent(job, task, run)
            if refusals and all(refusals):
                raise CandidateError(f"it could not be constructed for any probe: {refusals[0]}")
        except UnavailableError as error:
            yield EndEvent(job, "unavailable", str(error))
        except CandidateError as error:
            yield EndEvent(job, "broken", str(error))
        else:
            yield EndEvent(job)


@contextlib.contextmanager
def jax_precision(dtype: str) -> Iterator[None]:
    """Set whether JAX has float64, if JAX is loaded."""
    jax = sys.modules.get("jax")
    if jax is None:
        yield
        return
    with jax.enable_x64(dtype == "float64"):
        yield
