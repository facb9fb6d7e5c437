"""Whether a candidate did what an Adam with a given fault would do.

There are two tests.  A quick one compares the run with a model in float64 and lets through what is
worth a proof.  The proof asks whether every element of the run lies within the bound of the claim with
the fault.  A fault with a formula of its own has no bound: its runs are compared with the model once
more, as sharply as roundings allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.sharing import canonical_claim
from adamcore.conformance.oracle.trajectory import Trajectory, real_parts
from adamcore.conformance.types import FloatArray, Probe, Run
from adamcore.errors import HyperparameterError

CLOSE = 1e-3  #: a model at most this far from a run, in lr, is worth a proof
FLOAT32_NEAR = 400 * 2.0**-24  #: how far a float32 run may be from the model of its formula
FLOAT64_NEAR = 1e-9  #: the same for a float64 run
CLEAR = 4.0  #: how many times farther than from the model the run must be from the claim


def flat_run(run: Run) -> FloatArray | None:
    """Return all elements of all steps of a run in float64, or None if it has an error or sizes differ."""
    steps = [[part for p in got for part in real_parts(p)] for got in run.params]
    return None if run.unsupported or run.error else flat(steps)


def flat_model(claim: Adam, probe: Probe, fault: Fault | None) -> FloatArray | None:
    """Return all elements of all steps of a model, or None if there is nothing to compare."""
    return _flat_model(canonical_claim(claim, probe, fault), probe, fault)


@lru_cache(maxsize=32768)
def _flat_model(claim: Adam, probe: Probe, fault: Fault | None) -> FloatArray | None:
    model: Trajectory[Any] | None = float_trajectory(claim, probe, fault)
    if model is None or model.raises:
        return None
    return flat([[part for p in step for part in p] for step in model.steps])


def flat(steps: Sequence[Sequence[FloatArray]]) -> FloatArray | None:
    """Return all elements of all steps in float64, or None if the steps differ in size."""
    rows = [np.concatenate([np.ravel(x).astype(float) for x in step]) for step in steps if step]
    if len({row.size for row in rows}) > 1:
        return None
    return np.concatenate(rows) if rows else np.zeros(0)


def distance_in_lr(got: FloatArray, model: FloatArray | None, probe: Probe) -> float:
    """Return how far apart two flat trajectories are, in units of lr.

    The unit grows by a thousandth of the element.  The distance is infinite if an element is finite
    in one of them alone.
    """
    if model is None or got.shape != model.shape:
        return np.inf
    known = np.isfinite(model)
    if (np.isfinite(got) != known).any():
        return np.inf
    with np.errstate(all="ignore"):
        apart = np.abs(got - model) / ((probe.hyper["lr"] or 1.0) + 1e-3 * np.abs(model))
    return float(apart.max(initial=0.0, where=known))


def relative_distance(
    model: Trajectory[FloatArray] | None, run: Run, lr: float, most: float = np.inf
) -> float:
    """Return how far a run is from a model, relative to the largest value of each element so far.

    That value is lr at least.  The distance is infinite if it exceeds ``most``, or if an element is
    finite in one of them alone.
    """
    if model is None or not comparable(model.steps, model.raises, run):
        return np.inf
    farthest = 0.0
    sizes = [[np.full(part.shape, lr) for part in parts] for parts in model.steps[0]] if model.steps else []
    for values, got in zip(model.steps, run.params, strict=True):
        for parts, mine, largest in zip(values, got, sizes, strict=True):
            for k, (want, x) in enumerate(zip(parts, real_parts(mine), strict=True)):
                with np.errstate(all="ignore"):
                    largest[k] = np.fmax(largest[k], np.abs(want))
                    distance = np.abs(x.astype(float) - want) / largest[k]
                    both = np.isfinite(x) & np.isfinite(want)
                    unlike = np.isfinite(x) != np.isfinite(want)
                distance = np.where(both, distance, np.where(unlike, np.inf, 0.0))
                farthest = max(farthest, float(np.max(distance, initial=0.0)))
                if farthest > most:
                    return np.inf
    return farthest


def follows_formula(claim: Adam, probe: Probe, run: Run, fault: Fault) -> bool:
    """Return whether a run is as near to the model of a fault as roundings allow, and far from the claim."""
    lr = probe.hyper["lr"] or 1.0
    single = bool(run.params) and any(x.dtype in (np.float32, np.complex64) for x in run.params[0][:1])
    most = FLOAT32_NEAR if single else FLOAT64_NEAR
    near = relative_distance(float_trajectory(claim, probe, fault), run, lr, most)
    return near < np.inf and relative_distance(float_trajectory(claim, probe, None), run, lr) > CLEAR * near


def is_proved(
    claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool = False, fault: Fault | None = None
) -> bool:
    """Return whether a run is that of the claim with the fault.

    Every element must lie within the bound.  If the fault has a formula of its own, the run must
    follow its model instead.
    """
    if fault is not None and fault.update is not None:
        return follows_formula(claim, probe, run, fault)
    if fault is not None and fault.narrow is not None:
        claim, dtype, fault = replace(claim, coefficients=fault.narrow), "float32", None
    try:
        want, limit = exact(claim, probe, fault), bounds(claim, probe, dtype, flushes, fault)
    except HyperparameterError:  # a beta that is rounded to 1
        return False
    if not comparable(want.steps, want.raises, run):
        return False
    for values, limits, got in zip(want.steps, limit.steps, run.params, strict=True):
        for parts, wides, mine in zip(values, limits, got, strict=True):
            for value, wide, x in zip(parts, wides, real_parts(mine), strict=True):
                with np.errstate(all="ignore"):
                    outside = np.abs(value.error_of(x)) > wide.p
                known = np.isfinite(value.high)
                if (outside & known).any() or (np.isfinite(x) != known).any():
                    return False
    return True


def comparable(steps: Sequence[Sequence[Sequence[Any]]], raises: bool, run: Run) -> bool:
    """Return whether a run has the steps and sizes that are expected, and an error only if one is."""
    if run.unsupported is not None or (run.error is not None) != raises or len(run.params) != len(steps):
        return False
    sizes = [[np.size(getattr(x, "high", x)) for x in parts] for parts in (steps[0] if steps else [])]
    return all([[p.size for p in real_parts(x)] for x in got] == sizes for got in run.params)
