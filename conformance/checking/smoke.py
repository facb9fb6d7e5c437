"""A driver or a candidate, step by step: does it answer at all, before anybody judges what?

What fails here is the driver, the adapter or the installation; what passes here and fails in
``adamcore check`` is the implementation.  The parts are run like probes, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from adamcore import Adam
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.candidates.arguments import SPELLINGS
from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.claims import Claim, claim_for
from adamcore.conformance.dtypes import to_carrier
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
    replace(FIVE, name="smoke/resumed", manner="resumed"),
)


@dataclass(frozen=True)
class ChecklistItem:
    """One line of the checklist."""

    dtype: str
    name: str
    status: Status
    detail: str


@dataclass
class SmokeRun:
    """What a candidate did in one dtype."""

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
    """The checklist of a target, dtype by dtype; the arguments are those of ``check``.

    Raises:
        UsageError: a target that can be none, or a setting that it does not have.
    """
    from adamcore.conformance.checking.check import validate_target
    from adamcore.conformance.errors import UsageError

    validate_target(target)
    tasks = [(0, k) for k in range(len(PARTS))]
    jobs = {WorkerJob(target, d, [None], PARTS, tasks, settings or {}, device): SmokeRun(d) for d in dtypes}
    for event in run_jobs(list(jobs), timeout, PARALLEL, memory):
        seen = jobs[event.job]
        if isinstance(event, ReadyEvent):
            seen.info = event.info
        elif isinstance(event, RunEvent):
            seen.runs[PARTS[event.task].name.removeprefix("smoke/")] = event.run
        elif isinstance(event, EndEvent):
            if event.problem == "usage":
                raise UsageError(f"{target}: {event.reason}")
            seen.problem, seen.reason = event.problem, event.reason
    lines = [line for seen in jobs.values() for line in checklist(target, seen, settings or {})]
    if all(line.status == "skipped" for line in lines if line.name == "init"):
        return [
            replace(x, status="failed") if x.name == "init" and x.status == "skipped" else x for x in lines
        ]
    return lines


def checklist(target: str, seen: SmokeRun, settings: Mapping[str, str]) -> Iterator[ChecklistItem]:
    """The lines up to the first that ends it all, each with what was seen."""
    if seen.info is None:
        status: Status = "unavailable" if seen.problem == "unavailable" else "failed"
        yield ChecklistItem(seen.dtype, "start", status, seen.reason)
        return
    try:
        claim = claim_for(target, None, seen.info.dialect, settings)
    except DialectError as error:
        yield ChecklistItem(seen.dtype, "start", "failed", f"its dialect: {error}")
        return
    taken = [name for name in SPELLINGS if name not in seen.info.lacks]
    yield ChecklistItem(
        seen.dtype, "start", "ok", f"{seen.info.kind}; claim {claim.name}; takes {', '.join(taken)}"
    )
    for name, (status, detail) in outcomes(seen, claim):
        yield ChecklistItem(seen.dtype, name, status, detail)
        if name == "init" and status != "ok":
            break
    else:
        if seen.problem is None:
            yield ChecklistItem(seen.dtype, "stop", "ok", "ended")
    if seen.problem is not None:
        where = "stop" if len(seen.runs) == len(PARTS) else f"part {PARTS[len(seen.runs)].name}"
        yield ChecklistItem(seen.dtype, where, "failed", seen.reason)


Outcome = tuple[Status, str]


def outcomes(seen: SmokeRun, claim: Claim) -> Iterator[tuple[str, Outcome]]:
    """The name and outcome of every check whose part was run."""
    runs = seen.runs
    if "one" in runs:
        yield "init", check_init(runs["one"])
        if runs["one"].params:
            yield "step", check_shapes(runs["one"], seen.dtype)
            yield "finite", check_finite(runs["one"])
            yield "direction", check_direction(runs["one"], seen.dtype, claim.adam)
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
    """Whether every element went against its gradient, along it where the claim is to maximize."""
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
    """An absent gradient may be refused: politely, with an error or a skip, and the driver lives on."""
    if run.unsupported or run.error:
        return "ok", f"refused: {run.unsupported or run.error}"
    return "ok", "taken"
