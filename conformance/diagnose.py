"""Why a run failed: the single choice that would make it right, else where it first went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from adamcore import AXES, Adam
from adamcore.conformance.faults import Fault
from adamcore.conformance.faults.known import FAULTS
from adamcore.conformance.identify import NUMERIC, identify
from adamcore.conformance.judge import judge
from adamcore.conformance.match import is_proved, looks_like
from adamcore.conformance.probe import Finding, Probe, Result, Run
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import RULE_OF, SAYS, area_of


def diagnose(
    claim: Adam,
    runs: Mapping[tuple[str, str], Run],
    results: Sequence[Result],
    *,
    flushes: bool = False,
    probes: Mapping[str, Probe] = PROBES,
) -> list[Finding]:
    """The findings, most specific cause first; empty if there is nothing to say.

    A cause is another value on one axis or several with which runs that failed pass; what it
    leaves unexplained is named by the rule whose probe failed, with its first divergence.

    Args:
        claim: what the results were judged against.
        runs: what the candidate did, by (probe name, dtype).
        results: the judgements.
        flushes: whether the candidate flushes subnormals.
        probes: as the candidate saw them.
    """
    failures = sorted(
        (r for r in results if r.status == "failed"),
        key=lambda r: (
            probes[r.probe].level,
            r.evidence is None,
            len(probes[r.probe].steps),
            r.dtype,
            r.probe,
        ),
    )
    notes = coefficient_notes(claim, runs, flushes, probes)
    findings = handling(failures)
    rest = [r for r in failures if not r.reason.startswith("wrote to") and "came back" not in r.reason]
    if any(probes[r.probe].level == "must" for r in rest):
        passed = [r for r in results if r.status == "passed"]
        cause = best_cause(claim, rest, passed, runs, flushes, probes)
        if cause is not None:
            findings += cause.findings
            rest = [r for r in rest if r not in cause.explains and r not in cause.moot]
    return findings + by_rule(rest, probes) + notes


@dataclass(frozen=True)
class Cause:
    """Something that, had the claim allowed it, would have let failed runs pass."""

    findings: list[Finding]
    explains: list[Result]
    moot: Sequence[Result] = ()  #: failures of probes that mean nothing under it


def best_cause(
    claim: Adam, failures: Sequence[Result], passed: Sequence[Result],
    runs: Mapping[tuple[str, str], Run], flushes: bool, probes: Mapping[str, Probe],
) -> Cause | None:  # fmt: skip
    """The cause that explains most, and more than half: other values on axes, else a known fault.

    Other values on axes must leave alone what passed, and explain what still means something under
    them.  Axes come first where both explain as much: a candidate that follows another dialect is a
    better answer than one that follows this one wrongly.
    """
    best: Cause | None = None

    def grave(among: Sequence[Result]) -> int:
        return sum(probes[r.probe].level == "must" for r in among)

    def consider(cause: Cause) -> bool:
        nonlocal best
        enough = 2 * grave(cause.explains) > grave(failures) - grave(cause.moot)
        if enough and cause.explains and (best is None or len(cause.explains) > len(best.explains)):
            best = cause
        return best is not None and len(best.explains) + len(best.moot) == len(failures)

    seen = seen_in_fingerprint(claim, runs, flushes, probes)
    # a probe that shows the precision of coefficients may not be among the runs
    for other in [seen, replace(seen, coefficients="working")] if seen else single_changes(claim):
        if not seen and not speaks_for(other, failures[0], runs, flushes, probes):
            continue
        by_it = [r for r in failures if speaks_for(other, r, runs, flushes, probes)]
        if not by_it or (not seen and breaks(other, passed, runs, flushes, probes)):
            continue
        moot = [r for r in failures if not probes[r.probe].applies_to(other)]
        if consider(Cause(causes(claim, other, by_it, probes), by_it, moot)):
            return best
    for fault in FAULTS:
        by_it = explained_by(claim, fault, failures, runs, flushes, probes)
        found = by_it and Finding(
            fault.area, fault.rule, SAYS[fault.rule], fault.observed, evidence=by_it[0].evidence
        )
        if found and consider(Cause([found], by_it)):
            return best
    return best


def explained_by(
    claim: Adam, fault: Fault, failures: Sequence[Result], runs: Mapping[tuple[str, str], Run],
    flushes: bool, probes: Mapping[str, Probe],
) -> list[Result]:  # fmt: skip
    """The failures that are what the claim with this fault would do; the first three are proved."""
    like: list[Result] = []
    for tried, r in enumerate(failures, start=1):
        if looks_like(claim, probes[r.probe], runs[r.probe, r.dtype], fault):
            like.append(r)
        elif tried == 4 and not like:
            return []
    for r in like[:3]:
        if not is_proved(
            claim, probes[r.probe], r.dtype, runs[r.probe, r.dtype], flushes=flushes, fault=fault
        ):
            return []
    return like


def seen_in_fingerprint(
    claim: Adam, runs: Mapping[tuple[str, str], Run], flushes: bool, probes: Mapping[str, Probe]
) -> Adam | None:
    """The claim with the axes changed that identification reads otherwise, if any."""
    seen = identify(runs, flushes=flushes, probes=probes).axes
    if any(not seen[axis] for axis in NUMERIC):
        return None
    changed = {a: values[0] for a, values in seen.items() if values and getattr(claim, a) not in values}
    return replace(claim, **changed) if changed else None  # type: ignore[arg-type]


def single_changes(claim: Adam) -> Iterator[Adam]:
    """The claim with one axis changed, every way."""
    for axis, values in AXES.items():
        for value in values:
            if value != getattr(claim, axis):
                yield replace(claim, **{axis: value})  # type: ignore[arg-type]


def speaks_for(
    other: Adam, failure: Result, runs: Mapping[tuple[str, str], Run], flushes: bool,
    probes: Mapping[str, Probe],
) -> bool:  # fmt: skip
    """Whether a run that failed passes under another claim; one that is no matter of it does not."""
    probe = probes[failure.probe]
    if not probe.applies_to(other):
        return False
    run = runs[failure.probe, failure.dtype]
    return judge(other, probe, failure.dtype, run, flushes=flushes).status == "passed"


def breaks(
    other: Adam, passed: Sequence[Result], runs: Mapping[tuple[str, str], Run], flushes: bool,
    probes: Mapping[str, Probe],
) -> bool:  # fmt: skip
    """Whether a run that passed fails under another claim; long ones are not asked."""
    return any(
        not speaks_for(other, r, runs, flushes, probes)
        for r in passed
        if len(probes[r.probe].steps) <= 12 and probes[r.probe].applies_to(other)
    )


def causes(
    claim: Adam, other: Adam, failures: Sequence[Result], probes: Mapping[str, Probe]
) -> list[Finding]:
    """A finding for each axis on which the candidate's value is another than the claim's."""
    found = []
    for axis in AXES:
        expected, observed = getattr(claim, axis), getattr(other, axis)
        if expected != observed:
            telling = [r for r in failures if axis in probes[r.probe].tells] or failures
            found.append(
                Finding(
                    "decay" if axis == "decay_order" else axis,
                    RULE_OF[axis][expected],
                    f"{axis}={expected}",
                    f"{axis}={observed}",
                    evidence=telling[0].evidence,
                )
            )
    return found


def handling(failures: Sequence[Result]) -> list[Finding]:
    """Outputs of another shape and inputs written to: findings of their own, whatever else is wrong."""
    for failure in failures:
        if "came back" in failure.reason:
            return [Finding("layout", "STEP.1", "parameters keep their shape and dtype", failure.reason)]
    for failure in failures:
        if failure.reason.startswith("wrote to"):
            return [
                Finding("aliasing", "STATE.2", "inputs are left as they were", failure.reason,
                        evidence=failure.evidence)
            ]  # fmt: skip
    return []


def by_rule(failures: Sequence[Result], probes: Mapping[str, Probe]) -> list[Finding]:
    """One finding a rule, with the first divergence of its shortest probe."""
    found: dict[str, Finding] = {}
    for failure in failures:
        probe = probes[failure.probe]
        area = "layout" if "came back" in failure.reason else area_of(probe.rule)
        level: Literal["error", "note"] = "note" if probe.level == "should" else "error"
        if probe.rule not in found:
            found[probe.rule] = Finding(
                area,
                probe.rule,
                probe.about,
                failure.reason,
                level,
                failure.evidence,
            )
    return sorted(found.values(), key=lambda f: f.level)


def coefficient_notes(
    claim: Adam, runs: Mapping[tuple[str, str], Run], flushes: bool, probes: Mapping[str, Probe]
) -> list[Finding]:
    """A note where coefficients are less exact than double, though the claim allows it."""
    if claim.coefficients == "double":
        return []
    for (name, dtype), run in runs.items():
        if "coefficients" not in probes[name].tells or run.unsupported:
            continue
        strict = judge(replace(claim, coefficients="double"), probes[name], dtype, run, flushes=flushes)
        if strict.status == "failed" and strict.evidence is not None:
            e = strict.evidence
            return [
                Finding(
                    "coefficients", "NUM.4", "coefficients formed in double and rounded once",
                    f"{dtype} bias correction: {e.ulp:.0f} ULP off where {e.bound_ulp:.0f} is the bound",
                    "note", e,
                )
            ]  # fmt: skip
    return []
