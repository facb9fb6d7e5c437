"""Pairs of probes that differ in one circumstance.

If a candidate is right in the one and wrong in the other, the circumstance is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from adamcore.conformance.rules import AFTER_OTHERS, SAYS
from adamcore.conformance.types import Finding, Probe, Result
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.judge import CLOCKS, IN_ANOTHER_ORDER


class Pair(NamedTuple):
    """Two probes that differ in one circumstance, and what it means if one alone is right."""

    right: str
    wrong: str
    area: str
    rule: str
    observed: str
    leads_to: Callable[[Probe], bool]  #: whether a probe can fail because of it
    unless: str = ""  #: a probe that has to be right too, since what fails it explains the wrong one


def any_probe(probe: Probe) -> bool:
    return True


def is_beside(probe: Probe) -> bool:
    return probe.has_neighbour


def is_second_run(probe: Probe) -> bool:
    return probe.manner == "again"


def has_own_ages(probe: Probe) -> bool:
    return len({start.t for start in probe.start}) > 1


def is_restored(probe: Probe) -> bool:
    return probe.is_resumed or bool(probe.start)


def is_saved(probe: Probe) -> bool:
    return probe.manner == "saved"


PAIRS = (
    Pair("STEP.1/fingerprint", "STATE.3/again", "isolation", "STATE.3", AFTER_OTHERS, any_probe),
    Pair("STATE.4/uninterrupted", "STATE.3/beside", "isolation", "STATE.3",
         "a run comes out otherwise beside another optimizer", is_beside),
    Pair("STATE.4/uninterrupted", "STATE.3/alike", "isolation", "STATE.3",
         "a run comes out otherwise beside another optimizer of the same hyperparameters", is_beside),
    Pair("STATE.4/uninterrupted", "STATE.3/second-run", "isolation", "STATE.3",
         "an object that has made another run does not begin anew", is_second_run),
    Pair("STATE.4/uninterrupted", "STATE.4/resumed", "state", "STATE.4",
         "a run that is saved and restored does not go on as it would have", is_restored),
    Pair("STATE.4/uninterrupted", "STATE.4/saved", "state", "STATE.4",
         "a save changes the run that goes on", is_saved),
    Pair("CLK.1/one-age", "CLK.1/own-ages", "clock", "CLK.1",
         "beside arrays that have had another number of updates, an array is not stepped by its own clock",
         has_own_ages, unless="BC.1/t300"),
    Pair("STATE.2/fresh", "STATE.4/uninterrupted", "aliasing", "STATE.2",
         "a gradient is read after its step, when its memory holds another", any_probe),
)  # fmt: skip


class PairFinding(NamedTuple):
    """A finding from a pair, and the results of its two runs."""

    finding: Finding
    pair: Pair
    right: Result
    wrong: Result


def pair_finding(case: Case, failures: Sequence[Result]) -> PairFinding | None:
    """Return the finding of the first pair whose one run is right and whose other is a failure, or None."""
    by_key = {(r.probe, r.dtype): r for r in case.results}
    for pair in PAIRS:
        for wrong in failures:
            right = by_key.get((pair.right, wrong.dtype))
            if wrong.probe != pair.wrong or right is None:
                continue
            if CLOCKS in right.reason and CLOCKS in wrong.reason:
                continue  # a clock that is shown wrongly in both is nothing in which they differ
            if wrong.reason.endswith(IN_ANOTHER_ORDER):
                continue  # parameters are right: the order is that of the state
            late = by_key.get((pair.unless, wrong.dtype))
            if late is not None and late.status == "failed":
                continue
            ratios = case.ratios(right)
            if ratios is not None and np.max(ratios, initial=0.0) <= 1.0:
                says = SAYS[pair.rule]
                finding = Finding(pair.area, pair.rule, says, pair.observed, evidence=wrong.evidence)
                return PairFinding(finding, pair, right, wrong)
    return None
