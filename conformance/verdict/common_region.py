"""What the failures have in common: the narrowest region that covers them, when no cause is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, FloatArray, Result
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.regions import REGIONS, Region

COVERED = 0.97  #: of the failing elements that a region must cover
SHARP = 0.85  #: of the elements that a region covers must have failed
SHARPER = 0.02  #: and by how much more than of all elements
FEW = 4  #: runs at the least: less have nothing in common
NEARLY_ALL = 0.8  #: of the elements: a guessed region that covers them says nothing
MOST = 0.5  #: of the probes failed: the formula is wrong, not a circumstance


@dataclass(frozen=True)
class RunView:
    """A run as a spectrum sees it: who failed, and in which step first."""

    result: Result
    wrong: FloatArray  #: an element each
    when: FloatArray  #: the step in which an element failed, or the last

    def share(self, case: Case, region: Region) -> tuple[float, float]:
        """The parts of the run's elements that a region covers: of those that failed, of those right."""
        mask = region.mask(case.claim, case.probe(self.result), self.result.dtype)
        if mask is None or mask.shape[1] != self.wrong.size:
            return 0.0, 0.0
        seen = mask[self.when, np.arange(self.wrong.size)]
        n = self.wrong.size
        return float((seen & self.wrong).sum()) / n, float((seen & ~self.wrong).sum()) / n


def views(case: Case, results: Sequence[Result]) -> list[RunView]:
    """The runs that can be seen element by element."""
    found = []
    for result in results:
        ratios = case.ratios(result)
        if ratios is None or not ratios.size:
            continue
        out = ratios > 1.0
        wrong: FloatArray = np.any(out, axis=0)
        found.append(RunView(result, wrong, np.where(wrong, out.argmax(axis=0), len(ratios) - 1)))
    return found


def common_region(case: Case, failures: Sequence[Result]) -> Finding | None:
    """The finding of the region that covers the failures and the fewest right elements besides.

    With none that is sharp: that most of it is wrong, if it is, and else nothing.
    """
    seen = views(case, [*failures, *(r for r in case.passed if case.is_required(r))])
    wrong = sum(float(v.wrong.mean()) for v in seen)
    if not wrong or len(seen) < FEW:
        return None
    everything = wrong / len(seen)
    failed, clean = [v for v in seen if v.wrong.any()], [v for v in seen if not v.wrong.any()]
    best: tuple[float, Region | None] = max(SHARP, everything + SHARPER), None
    for region in REGIONS:
        covered, besides = (sum(part) for part in zip(*(v.share(case, region) for v in failed), strict=True))
        if covered < COVERED * wrong:
            continue
        besides += sum(v.share(case, region)[1] for v in clean)
        if region.guessed and covered + besides > NEARLY_ALL * len(seen):
            continue
        sharpness = covered / (covered + besides)
        if sharpness > best[0] + 1e-9:
            best = sharpness, region
    evidence, region_found = failures[0].evidence, best[1]
    if region_found is not None:
        area, rule, where = region_found.area, region_found.rule, f"deviates only {region_found.where}"
        return Finding(area, rule, SAYS[rule], where, evidence=evidence)
    if len(failures) < MOST * len(seen):
        return None
    return Finding("moments", "STEP.1", SAYS["STEP.1"], "deviates in most of what it does", evidence=evidence)
