"""The certificate of a probe: by how many bounds it tells the values of an axis apart.

A probe that leaves two values closer than ten bounds cannot decide between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.oracle.bounds import Bound, bounds
from adamcore.conformance.oracle.exact import Value, exact
from adamcore.conformance.oracle.trajectory import Trajectory, adam_for
from adamcore.conformance.types import Probe

ENOUGH = 10.0  #: bounds by which a probe must tell the values of an axis apart


@dataclass(frozen=True)
class Separation:
    """How far the answers under two values of an axis lie apart."""

    axis: str
    values: tuple[object, object]
    bounds: float  #: the distance in bounds; infinite if one of them alone raises, 0 if they coincide


def certificate(probe: Probe, axis: str, base: Adam, dtype: str = "float32") -> list[Separation]:
    """Return the separation of every pair of values of ``axis``, with the other axes as in ``base``.

    The values of ``coefficients`` have one exact answer; their separation is the ratio of their bounds.
    """
    made = []
    for value in AXES[axis]:
        adam = adam_for(replace(base, **{axis: value}), probe)  # type: ignore[arg-type]
        made.append((value, exact(adam, probe), bounds(adam, probe, dtype)))
    return [
        Separation(axis, (a, b), apart(wa, wb, ba, bb, axis == "coefficients"))
        for (a, wa, ba), (b, wb, bb) in combinations(made, 2)
    ]


def apart(
    wa: Trajectory[Value], wb: Trajectory[Value], ba: Trajectory[Bound], bb: Trajectory[Bound], by_bound: bool
) -> float:
    """Return the largest distance between two trajectories over the sum of their bounds.

    With ``by_bound``: the largest ratio of their bounds.
    """
    if wa.raises != wb.raises:
        return float("inf")
    largest = 0.0
    for a_step, b_step, la_step, lb_step in zip(wa.steps, wb.steps, ba.steps, bb.steps, strict=False):
        for a, b, la, lb in zip(a_step, b_step, la_step, lb_step, strict=True):
            for x, y, lx, ly in zip(a, b, la, lb, strict=True):
                with np.errstate(all="ignore"):
                    if by_bound:
                        ratio = np.maximum(lx.p, ly.p) / np.minimum(lx.p, ly.p)
                    else:
                        ratio = np.abs((x.high - y.high) + (x.low - y.low)) / (lx.p + ly.p)
                ratio = ratio[np.isfinite(ratio)]
                largest = max(largest, float(ratio.max(initial=0.0)))
    return largest


def separation(probe: Probe, other: Probe, dtype: str, claim: Adam) -> float:
    """Return how many bounds lie between the exact answers to two probes under a claim."""
    a, b = adam_for(claim, probe), adam_for(claim, other)
    return apart(exact(a, probe), exact(b, other), bounds(a, probe, dtype), bounds(b, other, dtype), False)
