"""Why runs in 16 bits failed: findings of their own, since most such failures have one cause.

An implementation that rounds after every operation, instead of once when it stores, is right in float32 and
wrong in 16 bits (NUM.1).  A failed run is judged again with that arithmetic.  If it is within its bound, the
cause is found; other failures are named by their rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adamcore import Adam
from adamcore.conformance.types import Finding, Probe, Result, Run, RunKey
from adamcore.conformance.verdict.causes import fold
from adamcore.conformance.verdict.judge import judge


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
    from adamcore.conformance.verdict.diagnose import by_rule

    found: list[Finding] = []
    for dtype in dict.fromkeys(r.dtype for r in results):
        failed = [r for r in results if r.dtype == dtype and r.status == "failed"]
        again = {
            r.probe: judge(
                claim, probes[r.probe], dtype, runs[r.probe, dtype], flushes=flushes, arithmetic=dtype
            )
            for r in failed
            if r.evidence is not None
        }
        rounded = [r for r in failed if r.probe in again and again[r.probe].status != "failed"]
        must = [r for r in rounded if probes[r.probe].level == "must"]
        if must and any(again[r.probe].status == "passed" for r in must):
            judged = sum(r.status in ("passed", "failed") for r in results if r.dtype == dtype)
            first = every_operation(dtype, must, judged)
            found.append(fold(first, by_rule([r for r in rounded if r not in must[:1]], probes)))
            failed = [r for r in failed if r not in rounded]
        found += by_rule(failed, probes)
    return found


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
