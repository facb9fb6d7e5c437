"""How exactly a candidate forms its coefficients, read off one probe.

From p=0 with a constant gradient under b2=0.9999, each step is lr times the coefficients and little
else.  Each way of forming 1-b**t predicts a trajectory of its own, and the nearest one is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from adamcore import Adam
from adamcore.conformance.dtypes import round_float
from adamcore.conformance.faults.coefficients import formed_by, power, product
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.types import Probe, Run, RunKey

PROBE = "NUM.4/running"
DOUBLE = "double"
FAR = 100.0  #: the nearest way is no answer if it is farther than this many bounds


def betas_in_float32(probe: Probe) -> Probe:
    """Return the probe with b1 and b2 rounded to float32, unless one would become 1."""
    betas = {name: round_float(probe.hyper[name], "float32") for name in ("b1", "b2")}
    return probe.with_hyper(**{name: b for name, b in betas.items() if b < 1.0})


WAYS: dict[str, Fault | None] = {
    DOUBLE: None,
    "a float32 power": Fault(coefficients=lambda c, n, at: formed_by(power, c, n, at)),
    "a float32 running product": Fault(coefficients=lambda c, n, at: formed_by(product, c, n, at)),
    "betas rounded to float32": Fault(probe=betas_in_float32),
}
"""The ways to form coefficients, in words, and the fault that each amounts to."""


@dataclass(frozen=True)
class NearestWay:
    """The way that is nearest to a run; distances are in bounds of the claim with "double"."""

    way: str
    distance: float
    next_distance: float  #: that of the next nearest way


def nearest_way(adam: Adam, runs: Mapping[RunKey, Run], probes: Mapping[str, Probe]) -> NearestWay | None:
    """Return how a candidate forms its coefficients in float32.

    None if the probe that shows it was not run, or if no way is near.
    """
    run, probe = runs.get((PROBE, "float32")), probes.get(PROBE)
    if run is None or probe is None or run.error or len(run.params) != len(probe.steps):
        return None
    adam = replace(adam, coefficients="double")
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
    return NearestWay(way, distances[way], min(distances[w] for w in others))
