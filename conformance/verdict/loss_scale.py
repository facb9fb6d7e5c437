"""Findings of loss scales and skipped steps, which stand beside the cause of what else fails.

A kernel may decay wrongly and multiply by the scale.  So these runs are compared with the claim as the other
cause changes it, with a fault of the scale besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from adamcore.conformance.faults.loss_scale import LOSS_SCALE
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Probe, Result
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.causes import Cause


def loss_scale_findings(
    case: Case, failures: Sequence[Result], cause: Cause | None
) -> tuple[list[Finding], list[Result]]:
    """Return a finding for each known fault of the scale, and the failures that none of them explains.

    Args:
        case: what the candidate did.
        failures: the failed runs with a scale or a skipped step.
        cause: why other runs failed, if it is known.
    """
    under = case if cause is None or cause.other is None else replace(case, claim=cause.other)
    beside = None if cause is None else cause.fault
    left = [r for r in failures if not follows(under, beside, r)]
    found = []
    while left:
        best, explains = None, list[Result]()
        for fault in LOSS_SCALE:
            both = together(fault, beside)
            like = (
                []
                if both is None
                else [r for r in left if under.looks_like(both, r) and under.is_proved(both, r)]
            )
            if len(like) > len(explains) and not contradicted(under, both, failures):
                best, explains = fault, like
        if best is None:
            break
        evidence = next((r.evidence for r in explains if r.evidence is not None), None)
        found.append(Finding(best.area, best.rule, SAYS[best.rule], best.observed, evidence=evidence))
        left = [r for r in left if r not in explains]
    return found, left


def follows(under: Case, beside: Fault | None, result: Result) -> bool:
    """Return whether a failed run is right but for the other cause."""
    return under.passes(under.claim, result) if beside is None else under.is_proved(beside, result)


def contradicted(under: Case, fault: Fault | None, failures: Sequence[Result]) -> bool:
    """Return whether a run with a scale or a skipped step is right, which it could not be with the fault."""
    right = [
        r for r in under.results if under.probe(r).is_scaled and r.status == "passed" and r not in failures
    ]
    return fault is not None and any(under.contradicts(fault, r) for r in right)


def together(fault: Fault, beside: Fault | None) -> Fault | None:
    """Return a fault of the scale with another fault, or None if they cannot be modelled together."""
    if beside is None:
        return fault
    fields = ("clock", "coefficients", "absent", "made", "update", "narrow")
    if any(getattr(fault, name) is not None and getattr(beside, name) is not None for name in fields):
        return None
    both: dict[str, Any] = {name: getattr(fault, name) or getattr(beside, name) for name in fields}
    return replace(fault, probe=chained(beside.probe, fault.probe), **both)


def chained(
    first: Callable[[Probe], Probe] | None, second: Callable[[Probe], Probe] | None
) -> Callable[[Probe], Probe] | None:
    """Return one change of a probe after the other."""
    if first is None or second is None:
        return first or second
    return lambda probe: second(first(probe))
