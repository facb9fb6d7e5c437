"""The elements of a large recording that are judged; they are the same every time.

Exact arithmetic takes about 0.1 ms for each element and step.  So all elements are first computed in
float64.  One half of the sample consists of the elements that differ most from that, so that it has a
single wrong element.  The other half is spread evenly over each array, with its first and last element.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.types import FloatArray, Probe, Run

WORK = 6000  #: elements times steps that are judged exactly
LEAST, MOST = 16, 512  #: elements of a recording, whatever the number of its steps


def sample_elements(claim: Adam, probe: Probe, run: Run) -> list[FloatArray]:
    """Return the flat indices of the elements to judge, for each parameter."""
    sizes = [p.size for p in probe.params]
    budget = min(MOST, max(LEAST, WORK // len(probe.steps)))
    if sum(sizes) <= budget:
        return [np.arange(size) for size in sizes]
    far = farthest(distances(claim, probe, run), budget // 2)
    share = (budget - budget // 2) / sum(sizes)
    chosen = []
    for size, extra in zip(sizes, far, strict=True):
        count = min(size, max(2, round(share * size)))
        even = np.round(np.linspace(0, size - 1, count)).astype(int) if size else np.arange(0)
        chosen.append(np.unique(np.concatenate([even, extra])))
    return chosen


def distances(claim: Adam, probe: Probe, run: Run) -> list[FloatArray]:
    """Return the largest relative difference of each element from a run in float64, over all steps."""
    model = float_trajectory(claim, probe, None)
    worst = [np.zeros(p.size) for p in probe.params]
    if model is None:
        return worst
    for values, got in zip(model.steps, run.params, strict=False):
        for i, (parts, mine) in enumerate(zip(values, got, strict=True)):
            x = np.ravel(mine).astype(float)
            with np.errstate(all="ignore"):
                off = np.abs(x - parts[0]) / (np.abs(x) + 1e-30)
            worst[i] = np.maximum(worst[i], np.where(np.isfinite(off), off, np.inf))
    return worst


def farthest(distance: list[FloatArray], count: int) -> list[FloatArray]:
    """Return the ``count`` elements with the largest distance over all parameters, as indices into each."""
    everything = np.concatenate(distance)
    top = np.sort(np.argsort(-everything, kind="stable")[:count])
    starts = np.cumsum([0, *(len(d) for d in distance)])
    return [top[(top >= a) & (top < b)] - a for a, b in pairwise(starts)]
