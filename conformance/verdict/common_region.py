"""What failures have in common where no cause is known: the region in which they lie.

A region (:mod:`adamcore.conformance.verdict.regions`) is the set of elements and steps that one part of
the definition can touch, such as "after a change of lr".  The finding names the region that covers the
failing elements and the fewest right ones besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, FloatArray, Result
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.regions import REGIONS, Region

COVERED = 0.97  #: the share of the failing elements that a region must cover
SHARP = 0.85  #: the share of a region's elements that must have failed
SHARPER = 0.02  #: how far that share must exceed the share among all elements
FEW = 4  #: fewer runs have nothing in common
NEARLY_ALL = 0.8  #: a guessed region that covers this share of all elements says nothing
MOST = 0.5  #: if this share of the runs failed, the formula itself is wrong


@dataclass(frozen=True)
class RunView:
    """A run seen element by element."""

    result: Result
    wrong: FloatArray  #: for each element, whether it failed
    when: FloatArray  #: for each element, the step in which it failed first, or the last step

    def share(self, case: Case, region: Region) -> tuple[float, float]:
        """Return what share of the run's elements a region covers: of failing ones, of right ones."""
        mask = region.mask(case.claim, case.probe(self.result), self.result.dtype)
        if mask is None or mask.shape[1] != self.wrong.size:
            return 0.0, 0.0
        inside = mask[self.when, np.arange(self.wrong.size)]
        n = self.wrong.size
        return float((inside & self.wrong).sum()) / n, float((inside & ~self.wrong).sum()) / n


def views(case: Case, results: Sequence[Result]) -> list[RunView]:
    """Return the views of those runs that have an element to see."""
    found = []
    for result in results:
        ratios = case.ratios(result)
        if ratios is None or not ratios.size:
            continue
        out = ratios > 1.0
        wrong: FloatArray = np.any(out, axis=0)
        found.append(RunView(result, wrong, np.where(wrong, out.argmax(axis=0), len(ratios) - 1)))
    return found


def shares_of_failed(
    case: Case, region: Region, failed: Sequence[RunView], wrong: float
) -> tuple[float, float] | None:
    """Return what a region covers of failed runs: failing elements, and right ones.

    None as soon as too many failing elements lie outside; most regions are left after a few short runs.
    """
    covered = besides = missed = 0.0
    for view in failed:
        inside, right = view.share(case, region)
        covered, besides = covered + inside, besides + right
        missed += float(view.wrong.mean()) - inside
        if missed > (1.0 - COVERED) * wrong:
            return None
    return covered, besides


class RegionFinding(NamedTuple):
    """A finding, and the region that it names; None: most of everything fails."""

    finding: Finding
    region: Region | None

    def leads_to(self, case: Case, result: Result) -> bool:
        """Return whether a failure lies in the region, if only for the step in which it first shows."""
        if self.region is None:
            return True
        mask = self.region.mask(case.claim, case.probe(result), result.dtype)
        return mask is not None and acts_by_then(case, result, mask)


def acts_by_then(case: Case, result: Result, mask: FloatArray) -> bool:
    """Return whether a mask (step, element) has an element by the step in which a failure first shows."""
    ratios = case.ratios(result)
    wrong = None if ratios is None or len(ratios) != len(mask) else np.any(ratios > 1.0, axis=1)
    if wrong is None or not wrong.any():
        return bool(mask.any())
    return bool(mask[: int(wrong.argmax()) + 1].any())


def common_region(case: Case, failures: Sequence[Result]) -> RegionFinding | None:
    """Return a finding that names the region of the failures.

    If no region is sharp enough, the finding says that most is wrong, if it is; otherwise there is
    none.
    """
    large = any(case.is_large(r) for r in failures)
    passed = [r for r in case.passed if case.is_required(r) and (large or not case.is_large(r))]
    seen = views(case, [*failures, *passed])
    wrong = sum(float(v.wrong.mean()) for v in seen)
    if not wrong or len(seen) < FEW:
        return None
    failed, clean = [v for v in seen if v.wrong.any()], [v for v in seen if not v.wrong.any()]
    failed.sort(key=lambda v: v.wrong.size * len(case.probe(v.result).steps))
    sharpest, best = max(SHARP, wrong / len(seen) + SHARPER), None
    for region in REGIONS:
        shares = shares_of_failed(case, region, failed, wrong)
        if shares is None:
            continue
        covered, besides = shares
        besides += sum(v.share(case, region)[1] for v in clean)
        if region.guessed and covered + besides > NEARLY_ALL * len(seen):
            continue
        sharpness = covered / (covered + besides)
        if sharpness > sharpest + 1e-9:
            sharpest, best = sharpness, region
    evidence = failures[0].evidence
    if best is not None:
        observed = f"deviates only {best.where}"
        return RegionFinding(
            Finding(best.area, best.rule, SAYS[best.rule], observed, evidence=evidence), best
        )
    if len(failures) < MOST * len(seen):
        return None
    observed = "deviates in most of what it does"
    return RegionFinding(Finding("moments", "STEP.1", SAYS["STEP.1"], observed, evidence=evidence), None)
