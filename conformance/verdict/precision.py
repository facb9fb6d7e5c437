"""How exactly a candidate forms its coefficients: read off what it does where it matters.

From p=0 with a constant gradient under b2=0.9999 each step is lr times the coefficients and little
else.  Each way of forming 1-b**t predicts a trajectory of its own; the nearest is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adamcore import Adam
from adamcore.conformance.faults._inputs import coarse, with_hyper
from adamcore.conformance.faults.coefficients import formed_by, power, product
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.verdict.match import float_trajectory

PROBE = "NUM.4/running"
DOUBLE = "double"
FAR = 100.0  #: bounds beyond which the nearest way is no answer

WAYS: dict[str, Fault | None] = {
    DOUBLE: None,
    "a float32 power": Fault(coefficients=lambda c, n, at: formed_by(power, c, n, at)),
    "a float32 running product": Fault(coefficients=lambda c, n, at: formed_by(product, c, n, at)),
    "betas rounded to float32": Fault(probe=lambda p: with_hyper(lambda h: coarse(24, h), p)),
}
"""What people do, in words -> what it does to a step."""


@dataclass(frozen=True)
class Precision:
    """The nearest way, how far off it is, and how much farther the next one; in bounds of double."""

    way: str
    distance: float
    next_distance: float


def precision(
    adam: Adam, runs: Mapping[tuple[str, str], Run], probes: Mapping[str, Probe]
) -> Precision | None:
    """The precision of a candidate's coefficients in float32, if the probe for it was run."""
    run, probe = runs.get((PROBE, "float32")), probes.get(PROBE)
    if run is None or probe is None or run.error or len(run.params) != len(probe.steps):
        return None
    limits = np.array([step[0][0].p for step in bounds(adam, probe, "float32").steps])
    got = np.array([step[0].astype(float) for step in run.params])
    distances = {}
    for way, fault in WAYS.items():
        model = float_trajectory(adam, probe, fault)
        if model is not None:
            want = np.array([step[0][0] for step in model.steps])
            with np.errstate(all="ignore"):
                distances[way] = float(np.nan_to_num(np.max(np.abs(got - want) / limits), nan=np.inf))
    way, *others = sorted(distances, key=distances.__getitem__)
    if distances[DOUBLE] <= 1.0:
        way, others = DOUBLE, [w for w in (way, *others) if w != DOUBLE]
    if distances[way] > FAR:
        return None
    return Precision(way, distances[way], min(distances[w] for w in others))
