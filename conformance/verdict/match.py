"""Whether a candidate did what an Adam with a fault would do: proved by the oracle.

A fault of the formula has no proof: it is matched by a model in float64, as sharply as roundings allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import Fault, StepFault, Update, UpdateInput
from adamcore.conformance.oracle.trajectory import Trajectory, real_parts, simulate
from adamcore.conformance.types import FloatArray, Probe, Run
from adamcore.definition import coefficients, update

CLOSE = 1e-3  #: distance, in lr, within which a quick look asks for the proof
ROUNDINGS = 400  #: of float32 (2**-24): as far a run in float32 may be from a form's model
DOUBLE = 1e-9  #: the same of a run in float64, relative to the parameter or lr
CLEAR = 4.0  #: how many times as far it must be from the claim itself


class UncheckedHost(Host):
    """Coefficients that may be infinite or no numbers, as arrays may be."""

    def number(self, value: float) -> float:
        return np.float64(value)

    def sqrt(self, x: float) -> float:
        return np.float64(np.sqrt(x))

    def complement_power(self, b: float, t: int) -> float:
        return np.float64(super().complement_power(b, t))


class FloatSlot:
    """State of real vectors in plain float64."""

    def __init__(self, adam: Adam, parts: list[FloatArray], formula: Update | None = None) -> None:
        self.adam, self.p, self.formula = adam, [p.astype(float) for p in parts], formula
        self.memory: dict[str, Any] = {}
        self.reset_moments()

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.m, self.v, self.v_max = [x.astype(float) for x in m], v.astype(float), v_max.astype(float)

    def set_parameter(self, parts: list[FloatArray]) -> None:
        self.p = [x.astype(float) for x in parts]

    def reset_moments(self) -> None:
        zero = np.zeros(self.p[0].shape)
        self.m, self.v, self.v_max = [zero for _ in self.p], zero, zero
        self.mu_product: float | None = 1.0

    def tick(self, t: int, lr: float) -> None:
        self.mu_product = coefficients(Host(), self.adam, t, lr, self.mu_product).mu_product

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        try:
            c = coefficients(Host(), self.adam, t, lr, self.mu_product)
        except (ValueError, ZeroDivisionError):  # a clock at 0, or below it
            c = coefficients(UncheckedHost(), self.adam, t, np.float64(lr), self.mu_product)
        c = c if fault is None else fault.coefficients(c, Host())
        self.mu_product = c.mu_product
        parts = list(zip(self.p, grads, self.m, strict=True))
        if self.formula is None or fault is None:
            moved, v, v_max = update(np, self.adam, c, parts, self.v, self.v_max)
        else:
            moved, v, v_max = self.formula(
                fault.context, c, UpdateInput(parts, self.v, self.v_max, self.memory)
            )
        keep = True if mask is None else mask
        self.p = [np.where(keep, p, old) for (p, _), old in zip(moved, self.p, strict=True)]
        self.m = [np.where(keep, m, old) for (_, m), old in zip(moved, self.m, strict=True)]
        self.v = np.where(keep, v, self.v)
        self.v_max = np.where(keep, v if v_max is None else v_max, self.v_max)

    def read(self) -> list[FloatArray]:
        return self.p


@lru_cache(maxsize=16384)
def float_trajectory(claim: Adam, probe: Probe, fault: Fault | None) -> Trajectory[FloatArray] | None:
    """The trajectory in float64; None where the fault has no meaning under this probe."""
    with np.errstate(all="ignore"):
        try:
            return simulate(claim, probe, partial(FloatSlot, formula=fault.update if fault else None), fault)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None


def looks_like(claim: Adam, probe: Probe, run: Run, fault: Fault) -> bool:
    """Whether a run is as close to the model of a form as roundings let it, and far from the claim."""
    lr = probe.hyper["lr"] or 1.0
    single = any(x.dtype in (np.float32, np.complex64) for x in run.params[0][:1]) if run.params else False
    near = model_distance(
        float_trajectory(claim, probe, fault), run, lr, ROUNDINGS * 2.0**-24 if single else DOUBLE
    )
    return near < np.inf and model_distance(float_trajectory(claim, probe, None), run, lr) > CLEAR * near


def model_distance(model: Trajectory[FloatArray] | None, run: Run, lr: float, most: float = np.inf) -> float:
    """How far a run is from a trajectory, relative to lr or to the largest that the parameter was.

    Infinite where that is more than ``most``, or where one is finite and the other is not.
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


def is_proved(
    claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool = False, fault: Fault | None = None
) -> bool:
    """Whether every element of a run lies within the bound of the claim with the fault.

    Of a fault with a form there is no proof; it is matched by its model, every run of it.
    """
    if fault is not None and fault.update is not None:
        return looks_like(claim, probe, run, fault)
    if fault is not None and fault.narrow is not None:
        claim, dtype, fault = replace(claim, coefficients=fault.narrow), "float32", None
    want, limit = exact(claim, probe, fault), bounds(claim, probe, dtype, flushes, fault)
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
    """Whether a run has as many steps as are expected of it, and an error only where one is."""
    if run.unsupported is not None or (run.error is not None) != raises or len(run.params) != len(steps):
        return False
    sizes = [[np.size(getattr(x, "high", x)) for x in parts] for parts in (steps[0] if steps else [])]
    return all([[p.size for p in real_parts(x)] for x in got] == sizes for got in run.params)
