"""Pairs of probes that differ in one circumstance.

If a candidate is right in the one and wrong in the other, the circumstance is the cause.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Result
from adamcore.conformance.verdict.case import Case


class Pair(NamedTuple):
    """Two probes that differ in one circumstance, and what it means if one alone is right."""

    right: str
    wrong: str
    area: str
    rule: str
    observed: str


PAIRS = (
    Pair("STEP.1/fingerprint", "STATE.3/again", "isolation", "STATE.3",
         "the same run comes out otherwise after other runs"),
    Pair("STATE.4/uninterrupted", "STATE.3/beside", "isolation", "STATE.3",
         "a run comes out otherwise beside another optimizer"),
    Pair("STATE.4/uninterrupted", "STATE.4/resumed", "state", "STATE.4",
         "a run that is saved and restored does not go on as it would have"),
    Pair("STATE.2/fresh", "STATE.4/uninterrupted", "aliasing", "STATE.2",
         "a gradient is read after its step, when its memory holds another"),
)  # fmt: skip


class PairFinding(NamedTuple):
    """A finding from a pair, and the results of its two runs."""

    finding: Finding
    right: Result
    wrong: Result


def pair_finding(case: Case) -> PairFinding | None:
    """Return the finding of the first pair whose one run is right and whose other is wrong, or None."""
    by_key = {(r.probe, r.dtype): r for r in case.results}
    for pair in PAIRS:
        for (name, dtype), wrong in by_key.items():
            right = by_key.get((pair.right, dtype))
            if name != pair.wrong or wrong.status != "failed" or right is None:
                continue
            ratios = case.ratios(right)
            if ratios is not None and np.max(ratios, initial=0.0) <= 1.0:
                finding = Finding(
                    pair.area, pair.rule, SAYS[pair.rule], pair.observed, evidence=wrong.evidence
                )
                return PairFinding(finding, right, wrong)
    return None
