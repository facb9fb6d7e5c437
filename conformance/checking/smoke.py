"""The smoke test: does a candidate run at all?

A failure here is one of the driver, the adapter or the installation.  If the smoke test passes and
``adamcore check`` fails, the implementation is wrong.  Each part of the test runs like a probe, in a worker
process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from adamcore import Adam
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.candidates.adapter.arguments import SPELLINGS
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.claims import Claim, claim_for
from adamcore.conformance.dtypes import to_carrier
from adamcore.conformance.probes.design import resumed
from adamcore.conformance.settings import DTYPES, MEMORY, PARALLEL, TIMEOUT
from adamcore.conformance.types import Probe, Run, Step
from adamcore.conformance.verdict.judge import shape_problem
from adamcore.conformance.workers.pool import EndEvent, ReadyEvent, RunEvent, WorkerJob, run_jobs
from adamcore.errors import DialectError

Status = Literal["ok", "failed", "skipped", "unavailable"]

PARAMS = (np.array([1.0, -2.0, 0.5]), np.array([[0.25, -0.5], [4.0, -1.0]]))
GRADS = (np.array([0.5, -0.25, 1.0]), np.array([[-1.0, 0.5], [0.125, -0.75]]))
HYPER = {"lr": 0.0625, "b1": 0.75, "b2": 0.875, "eps": 2.0**-20, "weight_decay": 0.0}


def make_part(name: str, *steps: Step) -> Probe:
    return Probe(f"smoke/{name}", "", PARAMS, steps, HYPER)


FULL, HALF = Step(GRADS), Step((GRADS[0], None))
FIVE = make_part("five", *[FULL] * 5)
PARTS = (
    make_part("one", FULL),
    FIVE,
    replace(FIVE, name="smoke/again"),
    make_part("lr", FULL, replace(FULL, lr=0.03125)),
    make_part("absent", FULL, HALF, FULL),
    replace(resumed(FIVE), name="smoke/resumed"),
)

TESTS = ("init, step", "five steps", "repeated", "new lr", "absent", "resumed", "stop")
"""What the checklist calls each part, and what comes after the last one."""


@dataclass(frozen=True)
class ChecklistItem:
    """One line of the checklist: a dtype, the name of a test, its status and a detail."""

    dtype: str
    name: str
    status: Status
    detail: str


@dataclass
class SmokeRun:
    """What a candidate did in one dtype: its answer to the start, its runs, and why it ended early."""

    dtype: str
    info: CandidateInfo | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    problem: str | None = None
    reason: str = ""


def smoke(
    target: str,
    *,
    device: str | None = None,
    settings: Mapping[str, str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    timeout: float = TIMEOUT,
    memory: float = MEMORY,
) -> list[ChecklistItem]:
    """Run the smoke test and return its checklist, dtype by dtype.

    The arguments are those of :func:`adamcore.conformance.checking.check.check`.

    Raises:
        UsageError: a target of no known form, or a setting that the target does not have.
    """
    from adamcore.conformance.checking.validate import validate_target
    from adamcore.conformance.errors import UsageError

    validate_target(target)
    tasks = [(0, k) for k in range(len(PARTS))]
    jobs = {WorkerJob(target, d, [None], PARTS, tasks, settings or {}, device): SmokeRun(d) for d in dtypes}
    for event in run_jobs(list(jobs), timeout, PARALLEL, memory):
        candidate = jobs[event.job]
        if isinstance(event, ReadyEvent):
            candidate.info = event.info
        elif isinstance(event, RunEvent):
            candidate.runs[PARTS[event.task].name.removeprefix("smoke/")] = event.run
        elif isinstance(event, EndEvent):
            if event.problem == "usage":
                raise UsageError(f"{target}: {event.reason}")
            candidate.problem, candidate.reason = event.problem, event.reason
    lines = [line for candidate in jobs.values() for line in checklist(target, candidate, settings or {})]
    if all(line.status == "skipped" for line in lines if line.name == "init"):
        return [
            replace(x, status="failed") if x.name == "init" and x.status == "skipped" else x for x in lines
        ]
    return lines


def checklist(target: str, candidate: SmokeRun, settings: Mapping[str, str]) -> Iterator[ChecklistItem]:
    """Yield the checklist of one dtype; it ends with the first failure after which nothing can run."""
    if candidate.info is None:
        status: Status = "unavailable" if candidate.problem == "unavailable" else "failed"
        yield ChecklistItem(candidate.dtype, "start", status, candidate.reason)
        return
    try:
        claim = claim_for(target, None, candidate.info.dialect, settings)
    except DialectError as error:
        yield ChecklistItem(candidate.dtype, "start", "failed", f"its dialect: {error}")
        return
    taken = [name for name in SPELLINGS if name not in candidate.info.lacks]
    yield ChecklistItem(
        candidate.dtype, "start", "ok", f"{candidate.info.kind}; claim {claim.name}; takes {', '.join(taken)}"
    )
    for name, (status, detail) in outcomes(candidate, claim):
        yield ChecklistItem(candidate.dtype, name, status, detail)
        if name == "init" and status != "ok":
            break
    else:
        if candidate.problem is None:
            yield ChecklistItem(candidate.dtype, "stop", "ok", "ended")
    if candidate.problem is not None:
        yield ChecklistItem(candidate.dtype, TESTS[len(candidate.runs)], "failed", candidate.reason)


Outcome = tuple[Status, str]


def outcomes(candidate: SmokeRun, claim: Claim) -> Iterator[tuple[str, Outcome]]:
    """Yield the name and the outcome of every test whose part was run."""
    runs = candidate.runs
    if "one" in runs:
        yield "init", check_init(runs["one"])
        if runs["one"].params:
            yield "step", check_shapes(runs["one"], candidate.dtype)
            yield "finite", check_finite(runs["one"])
            yield "direction", check_direction(runs["one"], candidate.dtype, claim.adam)
        else:
            yield "step", ("failed", runs["one"].error or "no step was made")
    if "five" in runs:
        yield "five steps", check_completed(runs["five"])
    if "again" in runs:
        yield "repeated", check_same_bits(runs["again"], runs["five"], "the same again")
    if "lr" in runs:
        yield "new lr", check_completed(runs["lr"])
    if "absent" in runs:
        yield "absent", check_absent(runs["absent"])
    if "resumed" in runs:
        yield (
            "resumed",
            check_same_bits(runs["resumed"], runs["five"], "state saved and restored after two steps"),
        )


def check_init(run: Run) -> Outcome:
    if run.unsupported:
        return "skipped", run.unsupported
    if run.error and "constructor" in run.error:
        return "failed", run.error
    return "ok", f"two parameters, of shapes {PARAMS[0].shape} and {PARAMS[1].shape}"


def check_shapes(run: Run, dtype: str) -> Outcome:
    for i, (got, p) in enumerate(zip(run.params[0], PARAMS, strict=True)):
        if problem := shape_problem(got, to_carrier(p, dtype)):
            return "failed", f"parameter {i} {problem}"
    return "ok", f"two arrays of the same shapes, in {dtype}"


def check_finite(run: Run) -> Outcome:
    bad = [i for i, p in enumerate(run.params[0]) if not np.all(np.isfinite(p))]
    return (
        ("failed", f"parameter {bad[0]} is {run.params[0][bad[0]]}") if bad else ("ok", "no NaN, no infinity")
    )


def check_direction(run: Run, dtype: str, adam: Adam) -> Outcome:
    """Test whether every element moved against its gradient, or along it if the claim is to maximize."""
    for i, (got, p, g) in enumerate(zip(run.params[0], PARAMS, GRADS, strict=True)):
        if np.shape(got) != p.shape:
            return "skipped", "its shape is another"
        moved = np.sign(got - p) * np.sign(g)
        if not np.all(moved == (1 if adam.maximize else -1)):
            where = "stayed where it was" if np.all(moved == 0) else "did not all go against their gradients"
            return (
                "failed",
                f"elements of parameter {i} {where}: from {p.tolist()} to {got.tolist()} under {g.tolist()}",
            )
    return "ok", f"every element went {'along' if adam.maximize else 'against'} its gradient"


def check_completed(run: Run) -> Outcome:
    if run.unsupported:
        return "skipped", run.unsupported
    if run.error:
        return "failed", f"step {len(run.params) + 1}: {run.error}"
    return "ok", f"{len(run.params)} steps"


def check_same_bits(run: Run, like: Run, what: str) -> Outcome:
    status, detail = check_completed(run)
    if status != "ok" or like.error:
        return status, detail
    for s, (got, want) in enumerate(zip(run.params, like.params, strict=True), start=1):
        if not all(same_bits(a, b) for a, b in zip(got, want, strict=True)):
            return "failed", f"{what}: step {s} gives other numbers"
    return "ok", f"{what}, bit for bit"


def check_absent(run: Run) -> Outcome:
    """Test a step with an absent gradient; an error or a skip is right too."""
    if run.unsupported or run.error:
        return "ok", f"refused: {run.unsupported or run.error}"
    return "ok", "taken"
