"""Causes: what failed runs would have passed with, that is other values on axes, or a known fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.progress import followed
from adamcore.conformance.rules import NOTHING, RULE_OF, SAYS
from adamcore.conformance.types import Finding, Probe, Result
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.common_region import acts_by_then
from adamcore.conformance.verdict.identify import DECAY, NUMERIC, Identification, identify
from adamcore.conformance.verdict.judge import CLOCKS
from adamcore.conformance.verdict.match import distance_in_lr, flat_model
from adamcore.conformance.verdict.pairs import PairFinding
from adamcore.conformance.verdict.regions import visible

PERCEPTIBLE = 0.25  #: bounds; a cause that moves an element so far may take it out of its bound
SINGLE = 2.0**-32  #: of lr; less than roundings to float32 add up to in a run
ASKED = 6  #: a fault that explains fewer than two of this many failures is no cause


def fold(finding: Finding, others: Sequence[Finding]) -> Finding:
    """Return the finding with others below it that follow from it."""
    below = [replace(other, folded=[]) for other in others]
    return replace(finding, folded=[*finding.folded, *below])


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

    def leads_to(self, case: Case, result: Result) -> bool:
        """Return whether a failure that the cause does not explain lies where the cause acts.

        A cause is a model of the candidate, and the candidate may differ from its model in the last digits or
        in complex numbers.  What is no longer finite says nothing.
        """
        if self.fault is not None and self.fault.narrow is not None:
            return True  # it acts on every number
        if self.fault is not None and self.fault.clock is not None and CLOCKS in result.reason:
            return True
        got = case.flat_run(result)
        if got is None or not np.isfinite(got).all():
            return True
        probe, claim = case.probe(result), self.other or case.claim
        acts = visible(flat_model(claim, probe, self.fault), case.claim, probe, result.dtype, PERCEPTIBLE)
        return acts is None or acts_by_then(case, result, acts)


def best_cause(
    case: Case,
    failures: Sequence[Result],
    identification: Identification | None = None,
    catalogue: Sequence[Fault] = FAULTS,
    area: str | None = None,
) -> Cause | None:
    """Return the cause that explains the most failures, if it explains more than half.

    Other values on axes win over a fault that explains as much: "follows another dialect" is a better
    answer than "follows this one wrongly".  Those of the area that was measured need not explain half: a
    clock that is global may also be lost in each state that is saved.

    Args:
        area: of the first part that was measured not to be as claimed, if any was.
    """
    best: Cause | None = None
    for cause in (*by_axes(case, failures, identification), *by_faults(case, failures, catalogue)):
        to_explain = case.count_required(failures) - case.count_required(cause.moot)
        enough = 2 * case.count_required(cause.explains) > to_explain
        enough = enough or (cause.fault is None and cause.findings[0].area == area)
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
            other = {"decay": claim.decay, "cautious_decay": claim.cautious_decay, axis: value}
            refused = other["cautious_decay"] and other["decay"] == "l2"
            if value != getattr(claim, axis) and not refused:
                yield replace(claim, **{axis: value})  # type: ignore[arg-type]


def by_faults(case: Case, failures: Sequence[Result], catalogue: Sequence[Fault]) -> Iterator[Cause]:
    """Yield the faults that failed runs look like, if the first of them prove it."""
    large = any(case.is_large(r) for r in failures)
    for fault in followed(catalogue, "what is wrong with it"):
        if large and not fault.is_of_input:
            continue  # its model steps every array by itself
        like = explained_by(case, fault, failures)
        if not like:
            continue
        of_layout = fault.area == "layout"
        passed = [r for r in case.passed if case.is_required(r)]
        passed = [r for r in passed if large or of_layout or not case.is_large(r)]
        if of_layout:  # a kernel is written for one dtype
            passed = [r for r in passed if r.dtype in {x.dtype for x in like}]
        against = sum(case.contradicts(fault, r) for r in passed)
        observed = fault.observed + (in_one_dtype(case, like) if of_layout else "")
        still = fault.name == NOTHING and not against  # in no run, so that it is no matter of which array
        area, rule = ("moments", "STEP.1") if still else (fault.area, fault.rule)
        if still and case.holds_others():
            area, observed = "layout", f"{observed}: its groups hold other tensors than those it was given"
        elif still and case.learns():
            observed = f"{observed}, though m and v go on: p is not written to, or lr counts as 0"
        found = Finding(area, rule, SAYS[rule], observed, evidence=like[0].evidence)
        if against < len(like):
            yield Cause([found], like, fault=fault, against=against)


def in_one_dtype(case: Case, failures: Sequence[Result]) -> str:
    """Return in which dtype these runs fail, if the same runs pass in the other one."""
    dtype, *others = sorted({r.dtype for r in failures})
    passed = {r.probe for r in case.passed if r.dtype != dtype}
    return f" in {dtype}" if not others and {r.probe for r in failures} <= passed else ""


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
    if fault.narrow and is_too_exact(case, like):
        return []
    if fault.update is not None:
        return [r for r in like if case.is_proved(fault, r)]
    return like if all(case.is_proved(fault, r) for r in like[:3]) else []


def is_too_exact(case: Case, like: Sequence[Result]) -> bool:
    """Return whether most of these runs are nearer to the claim than arithmetic in float32 comes.

    So are runs whose first step, which is as much in float32 as the others, is within the bound of float64.
    """
    begun = [r.evidence.step for r in like if r.evidence is not None]
    if len(begun) >= ASKED and min(begun) > 1:
        return True
    near = [distance_in_lr(got, flat_model(case.claim, case.probe(r), None), case.probe(r))
            for r in like if (got := case.flat_run(r)) is not None]  # fmt: skip
    return bool(near) and float(np.median(near)) < SINGLE


def is_same_epsilon(claim: Adam, other: Adam) -> bool:
    """True if eps stands in the same place, beside a v that the claim does not correct."""
    places = {adam.epsilon.partition("-")[0] for adam in (claim, other)}
    return claim.bias_correction in ("none", "first") and len(places) == 1


def axis_findings(
    claim: Adam, other: Adam, failures: Sequence[Result], probes: Mapping[str, Probe]
) -> list[Finding]:
    """Return a finding for each axis on which the candidate's value differs from the claim's.

    A look-ahead comes first: it changes what is divided.  A claim that asks for an error where a gradient is
    absent asks for one where all are; this is one finding.
    """
    found: list[Finding] = []
    for axis in sorted(AXES, key=lambda axis: axis != "nesterov"):
        expected, observed = getattr(claim, axis), getattr(other, axis)
        if expected != observed and not (axis == "epsilon" and is_same_epsilon(claim, other)):
            telling = [r for r in failures if axis in probes[r.probe].tells] or failures
            finding = Finding(
                "decay" if axis in DECAY else axis,
                RULE_OF[axis][expected],
                f"{axis}={expected}",
                f"{axis}={observed}",
                evidence=telling[0].evidence,
            )
            if axis == "all_missing" and claim.missing == "error" != other.missing:
                found[-1] = fold(found[-1], [finding])
            else:
                found.append(finding)
    return found
