"""The diagnosis: why runs failed, as findings.

A cause is something with which the failed runs would have passed: other values on one axis or several,
or a known fault.  If there is no cause, the failures may have a region in common.  What is left is
named by the rule whose probe failed, with its first divergence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from adamcore import AXES, Adam
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import RULE_OF, SAYS, area_of
from adamcore.conformance.types import Finding, Probe, Result, Run, RunKey
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.common_region import common_region
from adamcore.conformance.verdict.identify import NUMERIC, Identification, identify
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.pairs import PairFinding, pair_finding

ASKED = 6  #: a fault that explains fewer than two of this many failures is no cause


def diagnose(
    claim: Adam,
    runs: Mapping[RunKey, Run],
    results: Sequence[Result],
    *,
    flushes: bool = False,
    probes: Mapping[str, Probe] = PROBES,
    identification: Identification | None = None,
) -> list[Finding]:
    """Return the findings, the most specific cause first; none if nothing failed.

    Args:
        claim: the claim that the results were judged against.
        runs: what the candidate did.
        results: the judgements.
        flushes: whether the candidate flushes subnormals to zero.
        probes: the probes as the candidate saw them, by name.
        identification: what :func:`~adamcore.conformance.verdict.identify.identify` returns for the
            runs, if it is known already.
    """
    case = Case(claim, runs, results, flushes, probes)
    failures = case.failures()
    findings = handling_findings(failures)
    rest = [r for r in failures if not is_handling(r)]
    if case.count_required(rest):
        small = [r for r in rest if not case.is_large(r)]
        asked = small if len(small) > 2 * (len(rest) - len(small)) else rest
        cause, pair = best_cause(case, asked, identification), pair_finding(case)
        if pair and not (cause and cause.accounts_for(case, pair)):
            findings.append(pair.finding)
        if cause is not None:
            findings += cause.findings
            rest = [
                r
                for r in rest
                if r not in cause.explains
                and r not in cause.moot
                and not (r not in asked and cause.is_of(case, r))
            ]
        elif not findings:
            region = common_region(case, [r for r in asked if case.is_required(r)])
            findings += [region] if region else []
    return findings + by_rule(rest, probes) + coefficient_notes(claim, runs, flushes, probes)


@dataclass(frozen=True)
class Cause:
    """Something with which failed runs would have passed: other values on axes, or a fault."""

    findings: list[Finding]
    explains: list[Result]
    other: Adam | None = None  #: the claim with the other values, if that is the cause
    fault: Fault | None = None  #: the fault, if that is the cause
    moot: Sequence[Result] = ()  #: failures of probes that do not apply to ``other``
    against: int = 0  #: the number of runs that passed and could not have with this cause

    @property
    def weight(self) -> int:
        return len(self.explains) - self.against

    def accounts_for(self, case: Case, pair: PairFinding) -> bool:
        """Return whether both runs of a pair are as they are because of this cause."""
        if pair.wrong not in self.explains:
            return False
        if self.other is not None:
            return case.passes(self.other, pair.right)
        return self.fault is not None and not case.contradicts(self.fault, pair.right)

    def is_of(self, case: Case, result: Result) -> bool:
        """Return whether a run that was not asked for the cause fails by it as well."""
        if self.other is not None:
            return case.passes(self.other, result)
        return self.fault is not None and case.looks_like(self.fault, result)


def best_cause(
    case: Case, failures: Sequence[Result], identification: Identification | None = None
) -> Cause | None:
    """Return the cause that explains the most failures, if it explains more than half.

    Other values on axes win over a fault that explains as much: "follows another dialect" is a better
    answer than "follows this one wrongly".
    """
    best: Cause | None = None
    for cause in (*by_axes(case, failures, identification), *by_faults(case, failures)):
        to_explain = case.count_required(failures) - case.count_required(cause.moot)
        enough = 2 * case.count_required(cause.explains) > to_explain
        if enough and cause.explains and (best is None or cause.weight > best.weight):
            best = cause
        if best is not None and best.weight + len(best.moot) == len(failures):
            break
    return best


def by_axes(case: Case, failures: Sequence[Result], identification: Identification | None) -> Iterator[Cause]:
    """Yield other values on axes: those that identification reads, or else each single change."""
    read = other_axes(case, identification)
    # "working" is tried too, since no run may show how coefficients are formed
    for other in [read, replace(read, coefficients="working")] if read else single_changes(case.claim):
        if not read and not case.passes(other, failures[0]):
            continue
        explained = [r for r in failures if case.passes(other, r)]
        if explained and (read or not case.breaks(other)):
            moot = [r for r in failures if not case.probe(r).applies_to(other)]
            yield Cause(axis_findings(case.claim, other, explained, case.probes), explained, other, moot=moot)


def other_axes(case: Case, identification: Identification | None) -> Adam | None:
    """Return the claim with the values that identification reads instead of its own, or None."""
    axes = (identification or identify(case.runs, flushes=case.flushes, probes=case.probes)).axes
    if any(not axes[axis] for axis in NUMERIC):
        return None
    changed = {a: v[0] for a, v in axes.items() if v and getattr(case.claim, a) not in v}
    return replace(case.claim, **changed) if changed else None  # type: ignore[arg-type]


def single_changes(claim: Adam) -> Iterator[Adam]:
    """Yield the claim with one axis changed, in every way."""
    for axis, values in AXES.items():
        for value in values:
            if value != getattr(claim, axis):
                yield replace(claim, **{axis: value})  # type: ignore[arg-type]


def by_faults(case: Case, failures: Sequence[Result]) -> Iterator[Cause]:
    """Yield the faults that failed runs look like, if the first of them prove it."""
    large = any(case.is_large(r) for r in failures)
    for fault in FAULTS:
        if large and not fault.is_of_input:
            continue  # its model steps every array by itself
        like = explained_by(case, fault, failures)
        if not like:
            continue
        passed = [
            r
            for r in case.passed
            if case.is_required(r) and (large or fault.area == "layout" or not case.is_large(r))
        ]
        if fault.area == "layout":  # a kernel is written for one dtype
            passed = [r for r in passed if r.dtype in {x.dtype for x in like}]
        against = sum(case.contradicts(fault, r) for r in passed)
        observed = fault.observed + (in_one_dtype(case, like) if fault.area == "layout" else "")
        found = Finding(fault.area, fault.rule, SAYS[fault.rule], observed, evidence=like[0].evidence)
        if against < len(like):
            yield Cause([found], like, fault=fault, against=against)


def in_one_dtype(case: Case, failures: Sequence[Result]) -> str:
    """Return in which dtype these runs fail, if they pass in the other one."""
    failed = {(r.probe, r.dtype) for r in failures}
    [dtype, *others] = sorted({r.dtype for r in failures})
    passed = {r.probe for r in case.passed if r.dtype != dtype}
    return f" in {dtype}" if not others and {name for name, _ in failed} <= passed else ""


def explained_by(case: Case, fault: Fault, failures: Sequence[Result]) -> list[Result]:
    """Return the failures that the claim with this fault explains, or none if they are too few.

    The first three are proved.  If the fault has a formula of its own, each is compared with its
    model instead.
    """
    like: list[Result] = []
    required = case.count_required(failures)
    missed = 0
    for tried, r in enumerate(failures, start=1):
        if case.looks_like(fault, r):
            like.append(r)
        else:
            missed += case.is_required(r)
            hopeless = tried >= ASKED and len(like) < 2 and not fault.narrow
            if hopeless or 2 * missed >= required:
                return []
    if fault.update is not None:
        return [r for r in like if case.is_proved(fault, r)]
    return like if all(case.is_proved(fault, r) for r in like[:3]) else []


def axis_findings(
    claim: Adam, other: Adam, failures: Sequence[Result], probes: Mapping[str, Probe]
) -> list[Finding]:
    """Return a finding for each axis on which the candidate's value differs from the claim's."""
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


def handling_findings(failures: Sequence[Result]) -> list[Finding]:
    """Return the finding of an output of another shape, or of an input written to, whatever else failed."""
    for failure in failures:
        if "came back" in failure.reason:
            return [Finding("layout", "STEP.1", "parameters keep their shape and dtype", failure.reason)]
    for failure in failures:
        if failure.reason.startswith("wrote to"):
            says, seen = "inputs are left as they were", failure.reason
            return [Finding("aliasing", "STATE.2", says, seen, evidence=failure.evidence)]
    for failure in failures:
        if failure.reason.startswith("called its closure"):
            evidence = failure.evidence
            return [Finding("closure", "STEP.2", SAYS["STEP.2"], failure.reason, evidence=evidence)]
    return []


def is_handling(failure: Result) -> bool:
    """Return whether a failure is one of :func:`handling_findings`."""
    return failure.reason.startswith(("wrote to", "called its closure")) or "came back" in failure.reason


def by_rule(failures: Sequence[Result], probes: Mapping[str, Probe]) -> list[Finding]:
    """Return a finding for each rule whose probes failed, errors first."""
    found: dict[str, Finding] = {}
    for failure in failures:
        probe = probes[failure.probe]
        area = "layout" if "came back" in failure.reason else area_of(probe.name)
        level: Literal["error", "note"] = "note" if probe.level == "should" else "error"
        if probe.rule not in found:
            reason, evidence = failure.reason, failure.evidence
            found[probe.rule] = Finding(area, probe.rule, probe.about, reason, level, evidence)
    return sorted(found.values(), key=lambda f: f.level)


def coefficient_notes(
    claim: Adam, runs: Mapping[RunKey, Run], flushes: bool, probes: Mapping[str, Probe]
) -> list[Finding]:
    """Return a note if coefficients are less exact than double, though the claim allows it."""
    if claim.coefficients == "double":
        return []
    for (name, dtype), run in runs.items():
        if "coefficients" not in probes[name].tells or run.unsupported:
            continue
        strict = judge(replace(claim, coefficients="double"), probes[name], dtype, run, flushes=flushes)
        if strict.status == "failed" and strict.evidence is not None:
            e = strict.evidence
            expected = "coefficients formed in double and rounded once"
            observed = f"{dtype} bias correction: {e.ulp:.0f} ULP off where {e.bound_ulp:.0f} is the bound"
            return [Finding("coefficients", "NUM.4", expected, observed, "note", e)]
    return []
