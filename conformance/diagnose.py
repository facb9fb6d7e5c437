"""Why a run failed: the single choice that would make it right, else where it first went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from adamcore import AXES, Adam
from adamcore.conformance.identify import NUMERIC, identify
from adamcore.conformance.judge import judge
from adamcore.conformance.probe import Finding, Probe, Result, Run
from adamcore.conformance.probes import PROBES

RULE_OF: dict[str, dict[Any, str]] = {
    "epsilon": {
        "outside-corrected": "EPS.1", "outside-uncorrected": "EPS.2",
        "inside-corrected": "EPS.3", "inside-uncorrected": "EPS.4",
    },
    "bias_correction": {"both": "BC.1", "first": "BC.2", "second": "BC.1", "none": "BC.1"},
    "decay": {
        "l2": "DEC.1", "decoupled": "DEC.2", "decoupled-unscaled": "DEC.3", "decoupled-corrected": "DEC.4",
    },
    "decay_order": {"before": "DEC.5", "after": "DEC.5"},
    "amsgrad": {"none": "AMS.1", "uncorrected": "AMS.1", "corrected": "AMS.2"},
    "nesterov": {"none": "NES.1", "dozat": "NES.1", "optax": "NES.2", "same-t": "NES.3"},
    "missing": {"skip": "F1", "zero": "F1", "error": "F1"},
    "clock": {"per-parameter": "CLK.1", "global": "CLK.1"},
    "all_missing": {"tick": "CLK.4", "hold": "CLK.4", "error": "CLK.4"},
    "maximize": {False: "MAX.1", True: "MAX.1"},
    "complex": {"componentwise": "CPX.1", "modulus": "CPX.2"},
    "coefficients": {"double": "NUM.4", "working": "NUM.4", "running": "NUM.4"},
}  # fmt: skip
"""The rule that a claim's value on an axis stands for."""

AREA_OF = {
    "STEP": "moments", "MOM": "moments", "EPS": "epsilon", "BC": "bias_correction", "DEC": "decay",
    "AMS": "amsgrad", "NES": "nesterov", "MAX": "maximize", "CPX": "complex", "F1": "missing",
    "F2": "zero_gradient", "F3": "missing", "F5": "clock", "F6": "all_missing", "LR": "schedule",
    "NUM.2": "moments", "NUM.3": "moments", "NUM.4": "coefficients", "NF": "nonfinite", "STATE": "state", "CLK": "clock",
}  # fmt: skip
"""The area to name when only the probe that failed is known."""


def area_of(rule: str) -> str:
    """The area of a rule, or of its family."""
    return AREA_OF.get(rule) or AREA_OF[rule.split(".")[0]]


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
        key=lambda r: (r.evidence is None, len(probes[r.probe].steps), r.dtype, r.probe),
    )
    notes = coefficient_notes(claim, runs, flushes, probes)
    findings = handling(failures)
    rest = [r for r in failures if not r.reason.startswith("wrote to")]

    def explained(other: Adam) -> list[Result]:
        return [r for r in rest if speaks_for(other, r, runs, flushes, probes)]

    if any(probes[r.probe].level == "must" for r in rest):
        other = seen_in_fingerprint(claim, runs, flushes, probes)
        by_it = explained(other) if other else []
        if not by_it:
            for other in single_changes(claim):
                by_it = explained(other) if speaks_for(other, rest[0], runs, flushes, probes) else []
                if len(by_it) == len(rest):
                    break
                by_it = []
        if other and by_it:
            findings += causes(claim, other, by_it, probes)
            rest = [r for r in rest if r not in by_it]
    return findings + by_rule(rest, probes) + notes


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
    """Whether a run that failed passes under another claim (or is no matter of it)."""
    probe = probes[failure.probe]
    if not probe.applies_to(other):
        return True
    run = runs[failure.probe, failure.dtype]
    return judge(other, probe, failure.dtype, run, flushes=flushes).status == "passed"


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
    """Inputs written to: a finding of its own, whatever else is wrong."""
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
