"""Why a run failed: the single choice that would make it right, else where it first went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from adamcore import AXES, Adam
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import RULE_OF, SAYS, area_of
from adamcore.conformance.types import Finding, Probe, Result, Run
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.common_region import common_region
from adamcore.conformance.verdict.identify import NUMERIC, Identification, identify
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.pairs import PairFinding, pair_finding

ASKED = 6  #: failures that are looked at before a fault that explains fewer than two is let go


def diagnose(
    claim: Adam,
    runs: Mapping[tuple[str, str], Run],
    results: Sequence[Result],
    *,
    flushes: bool = False,
    probes: Mapping[str, Probe] = PROBES,
    identification: Identification | None = None,
) -> list[Finding]:
    """The findings, most specific cause first; empty if there is nothing to say.

    Of two runs that differ in one circumstance one may be wrong: that is said first.  A cause is
    another value on one axis or several with which runs that failed pass, or a known fault; where
    there is none, it is what all that failed has in common.  What it leaves
    unexplained is named by the rule whose probe failed, with its first divergence.

    Args:
        claim: what the results were judged against.
        runs: what the candidate did, by (probe name, dtype).
        results: the judgements.
        flushes: whether the candidate flushes subnormals.
        probes: as the candidate saw them.
        identification: what identification says of the runs, where it is known already.
    """
    case = Case(claim, runs, results, flushes, probes)
    failures = case.failures()
    findings = handling(failures)
    rest = [r for r in failures if not r.reason.startswith("wrote to") and "came back" not in r.reason]
    if case.count_required(rest):
        cause, pair = best_cause(case, rest, identification), pair_finding(case)
        if pair and not (cause and cause.accounts_for(case, pair)):
            findings.append(pair.finding)
        if cause is not None:
            findings += cause.findings
            rest = [r for r in rest if r not in cause.explains and r not in cause.moot]
        elif not findings:
            found = common_region(case, [r for r in rest if case.is_required(r)])
            findings += [found] if found else []
    return findings + by_rule(rest, probes) + coefficient_notes(claim, runs, flushes, probes)


@dataclass(frozen=True)
class Cause:
    """Something that, had the claim allowed it, would have let failed runs pass."""

    findings: list[Finding]
    explains: list[Result]
    other: Adam | None = None  #: the other values on axes
    fault: Fault | None = None  #: or the fault
    moot: Sequence[Result] = ()  #: failures of probes that mean nothing under it
    against: int = 0  #: runs that passed and could not have

    @property
    def weight(self) -> int:
        return len(self.explains) - self.against

    def accounts_for(self, case: Case, pair: PairFinding) -> bool:
        """Whether both runs of a pair are as they are because of this."""
        if pair.wrong not in self.explains:
            return False
        if self.other is not None:
            return case.passes(self.other, pair.right)
        return self.fault is not None and not case.contradicts(self.fault, pair.right)


def best_cause(
    case: Case, failures: Sequence[Result], identification: Identification | None = None
) -> Cause | None:
    """The cause that explains most, and more than half: other values on axes, else a known fault.

    Other values on axes must leave alone what passed, and explain what still means something under
    them.  Axes come first where both explain as much: a candidate that follows another dialect is a
    better answer than one that follows this one wrongly.
    """
    best: Cause | None = None
    for cause in (*by_axes(case, failures, identification), *by_faults(case, failures)):
        enough = 2 * case.count_required(cause.explains) > case.count_required(
            failures
        ) - case.count_required(cause.moot)
        if enough and cause.explains and (best is None or cause.weight > best.weight):
            best = cause
        if best is not None and best.weight + len(best.moot) == len(failures):
            break
    return best


def by_axes(case: Case, failures: Sequence[Result], identification: Identification | None) -> Iterator[Cause]:
    """Other values on axes: those that identification reads, else each single change."""
    read = other_axes(case, identification)
    # a probe that shows the precision of coefficients may not be among the runs
    for other in [read, replace(read, coefficients="working")] if read else single_changes(case.claim):
        if not read and not case.passes(other, failures[0]):
            continue
        explained = [r for r in failures if case.passes(other, r)]
        if explained and (read or not case.breaks(other)):
            moot = [r for r in failures if not case.probe(r).applies_to(other)]
            yield Cause(causes(case.claim, other, explained, case.probes), explained, other, moot=moot)


def other_axes(case: Case, identification: Identification | None) -> Adam | None:
    """The claim with the axes changed that identification reads otherwise, if any."""
    axes = (identification or identify(case.runs, flushes=case.flushes, probes=case.probes)).axes
    if any(not axes[axis] for axis in NUMERIC):
        return None
    changed = {a: v[0] for a, v in axes.items() if v and getattr(case.claim, a) not in v}
    return replace(case.claim, **changed) if changed else None  # type: ignore[arg-type]


def single_changes(claim: Adam) -> Iterator[Adam]:
    """The claim with one axis changed, every way."""
    for axis, values in AXES.items():
        for value in values:
            if value != getattr(claim, axis):
                yield replace(claim, **{axis: value})  # type: ignore[arg-type]


def by_faults(case: Case, failures: Sequence[Result]) -> Iterator[Cause]:
    """The known faults that runs look like, proved on those that show them first."""
    for fault in FAULTS:
        like = explained_by(case, fault, failures)
        if not like:
            continue
        against = sum(case.contradicts(fault, r) for r in case.passed if case.is_required(r))
        found = Finding(fault.area, fault.rule, SAYS[fault.rule], fault.observed, evidence=like[0].evidence)
        if against < len(like):
            yield Cause([found], like, fault=fault, against=against)


def explained_by(case: Case, fault: Fault, failures: Sequence[Result]) -> list[Result]:
    """The failures that are what the claim with this fault would do, if they are the most.

    The first three are proved by the oracle; of a form, which has no proof, each is matched.
    """
    like: list[Result] = []
    graver = case.count_required(failures)
    missed = 0
    for tried, r in enumerate(failures, start=1):
        if case.looks_like(fault, r):
            like.append(r)
        else:
            missed += case.is_required(r)
            hopeless = tried >= ASKED and len(like) < 2 and not fault.narrow
            if hopeless or 2 * missed >= graver:
                return []
    if fault.update is not None:
        return [r for r in like if case.is_proved(fault, r)]
    return like if all(case.is_proved(fault, r) for r in like[:3]) else []


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
        area = "layout" if "came back" in failure.reason else area_of(probe.name)
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
