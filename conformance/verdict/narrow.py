"""Why runs in 16 bits failed: findings of their own, since most such failures have one cause.

Random numbers and rests tell by themselves what is wrong with them.  Then the known faults of 16 bits
(:mod:`~adamcore.conformance.verdict.narrow_faults`) are tried: a candidate has one if nearly every element
that it stores is what the model with the fault stores.  An implementation that rounds after every
operation, instead of once when it stores, is right in float32 and wrong in 16 bits (NUM.1): a failed run is
judged again with that arithmetic.  Other failures are named by their rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.narrow_model import NarrowFault, Reading, agreement
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, FloatArray, Probe, Result, Run, RunKey
from adamcore.conformance.verdict.causes import fold
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.narrow_faults import RULE_OF_POLICY, narrow_faults
from adamcore.conformance.verdict.random_moments import NOT_NEXT, shown_moments
from adamcore.conformance.verdict.random_rounding import (
    BIASED,
    BIASED_MOMENTS,
    DEPENDENT,
    DEPENDENT_MOMENTS,
)
from adamcore.conformance.verdict.rests import APART, has_rests, values_of

#: the rules that random numbers break, by how the reason begins
OF_PARAMETERS = {DEPENDENT: "STORE.7", BIASED: "STORE.6"}
OF_MOMENTS = dict.fromkeys((NOT_NEXT, DEPENDENT_MOMENTS, BIASED_MOMENTS), "STORE.16")
NEARLY = 0.95  #: of the elements that a model has to be right of; the rest is rounded another way by chance
FAILED, PASSED = 4, 3  #: the shortest runs that a model is compared with
ENOUGH = 0.6  #: of the failed runs that a fault has to explain


def narrow_findings(
    claim: Adam,
    runs: Mapping[RunKey, Run],
    results: Sequence[Result],
    probes: Mapping[str, Probe],
    flushes: bool,
) -> list[Finding]:
    """Return the findings on runs in 16 bits, for each dtype.

    Args:
        claim: the claim that the results were judged against.
        runs: what the candidate did.
        results: the judgements.
        probes: the probes as the candidate saw them, by name.
        flushes: whether the candidate flushes subnormals to zero.
    """
    found: list[Finding] = []
    for dtype in dict.fromkeys(r.dtype for r in results):
        found += in_dtype(claim, runs, [r for r in results if r.dtype == dtype], probes, flushes)
    return found


def in_dtype(
    claim: Adam,
    runs: Mapping[RunKey, Run],
    results: Sequence[Result],
    probes: Mapping[str, Probe],
    flushes: bool,
) -> list[Finding]:
    """Return the findings on the runs in one dtype."""
    from adamcore.conformance.verdict.diagnose import by_rule

    failed = [r for r in results if r.status == "failed"]
    if not any(probes[r.probe].level == "must" for r in failed):
        return by_rule(failed, probes)
    resumed = [r for r in failed if probes[r.probe].is_resumed]
    if resumed and all(probes[r.probe].is_resumed or probes[r.probe].start for r in failed):
        [first, *others] = by_rule([*resumed, *(r for r in failed if r not in resumed)], probes)
        return [fold(first, others)]
    apart = {APART: RULE_OF_POLICY.get(claim.p_storage, "STORE.1")}
    cause, moments = told(failed, apart | OF_PARAMETERS), told(failed, OF_MOMENTS)
    if cause is None and (moments is None or any(r.evidence is not None for r in failed)):
        cause = known(claim, runs, results, probes)  # other moments than those of the claim are no neighbours
    cause = cause or moments
    if cause is not None:
        return [fold(cause, by_rule(failed, probes))]
    again = {
        r.probe: judge(
            claim, probes[r.probe], r.dtype, runs[r.probe, r.dtype], flushes=flushes, arithmetic=r.dtype
        )
        for r in failed
        if r.evidence is not None
    }
    rounded = [r for r in failed if r.probe in again and again[r.probe].status != "failed"]
    must = [r for r in rounded if probes[r.probe].level == "must"]
    if not must or all(again[r.probe].status != "passed" for r in must):
        return by_rule(failed, probes)
    judged = sum(r.status in ("passed", "failed") for r in results)
    first = every_operation(results[0].dtype, must, judged)
    others = by_rule([r for r in failed if r not in rounded], probes)
    return [fold(first, by_rule([r for r in rounded if r not in must[:1]], probes)), *others]


def told(failed: Sequence[Result], rules: Mapping[str, str]) -> Finding | None:
    """Return the finding on random numbers or rests that are wrong by themselves.

    Args:
        failed: the failed results.
        rules: the rule that is broken, by how the reason begins; the first that there is counts.
    """
    for begins, rule in rules.items():
        for result in failed:
            if result.reason.startswith(begins):
                return Finding("storage", rule, SAYS[rule], result.reason, evidence=result.evidence)
    return None


def known(
    claim: Adam, runs: Mapping[RunKey, Run], results: Sequence[Result], probes: Mapping[str, Probe]
) -> Finding | None:
    """Return the finding on the known fault that explains the most of the failed runs, or None."""

    def short(status: str, count: int) -> list[Result]:
        chosen = [
            r for r in results
            if r.status == status and runs[r.probe, r.dtype].params and probes[r.probe].level == "must"
        ]  # fmt: skip
        return sorted(chosen, key=lambda r: size_of(probes[r.probe]))[:count]

    def share_of(how: NarrowFault, r: Result) -> float:
        run = runs[r.probe, r.dtype]
        policy = how.changes.get("p_storage", claim.p_storage)
        values = stored = values_of(policy, run, r.dtype) if has_rests(run) else run.params
        if how.reading is not None:
            if not has_rests(run):
                return 0.0
            values, stored = readings_of(how.reading, run), run.params
        kept = shown_moments(claim, probes[r.probe], run, r.dtype)
        return agreement(claim, how, probes[r.probe], r.dtype, values, stored, kept)

    def explained(how: NarrowFault, r: Result) -> bool:
        share = share_of(how, r)
        better = how.reading is not None or share > as_claimed.get(r.probe, 0.0)
        return share >= NEARLY and (better or r.probe not in as_claimed)

    failed, passed = short("failed", FAILED), short("passed", PASSED)
    as_claimed = {r.probe: share_of(NarrowFault("", "", "", ""), r) for r in failed}
    best: tuple[float, NarrowFault] | None = None
    for how in narrow_faults(claim, results[0].dtype):
        if not failed or not any(explained(how, r) for r in failed[:3]):
            continue
        share = sum(explained(how, r) for r in failed) / len(failed)
        right = sum(explained(how, r) for r in passed)
        if share >= ENOUGH and right >= NEARLY * len(passed) and (best is None or share > best[0]):
            best = share, how
    if best is None:
        return None
    how = best[1]
    evidence = next((r.evidence for r in failed if r.evidence is not None), None)
    return Finding(how.area, how.rule, how.expected, how.observed, evidence=evidence)


def readings_of(reading: Reading, run: Run) -> list[list[FloatArray]]:
    """Return what a candidate reads from its parameters and their rests."""
    pairs = zip(run.params, run.rests, strict=True)
    with np.errstate(all="ignore"):
        return [
            [
                p if x is None or p.shape != x.shape else reading(p, x)
                for p, x in zip(after, rests, strict=True)
            ]
            for after, rests in pairs
        ]


def size_of(probe: Probe) -> int:
    """Return the number of updates of an element."""
    return len(probe.steps) * sum(p.size for p in probe.params)


def every_operation(dtype: str, failures: Sequence[Result], judged: int) -> Finding:
    """Return the finding that a candidate rounds after every operation."""
    largest = max(r.worst_ulp for r in failures)
    return Finding(
        "mixed_precision",
        "NUM.1",
        f"arithmetic in float32, and each of p, m and v rounded to {dtype} once, when it is stored",
        f"it rounds to {dtype} between operations: in {len(failures)} of {judged} probes a parameter is not "
        f"what one rounding gives, and all of them are within the bound of arithmetic in {dtype}. An element "
        f"is up to {largest:.3g} ULP of {dtype} off; one rounding is at most 0.5 off",
        evidence=failures[0].evidence,
    )
