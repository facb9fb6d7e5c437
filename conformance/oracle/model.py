"""A model of a candidate: the trajectory of a claim, with a fault perhaps, in plain float64.

A model is a thousand times faster than the exact answer.  It proves nothing, but it says which faults
are worth a proof, and it is all there is for a fault that has a formula of its own.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.perturbation import Fault, StepFault, Update, UpdateInput
from adamcore.conformance.oracle.sharing import repeat, unique_parameters
from adamcore.conformance.oracle.trajectory import Trajectory, simulate
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import coefficients, update


class ModelHost(Host):
    """Coefficients as the host forms them."""

    def factor(self, high: float, low: float, roundings: float) -> float:
        """Return the factor of a clipped gradient (:class:`adamcore.conformance.types.Scaling`)."""
        return high


class UncheckedHost(ModelHost):
    """Coefficients in which a division by 0 gives infinity or NaN, as in arrays, and raises nothing."""

    def number(self, value: float) -> float:
        return np.float64(value)

    def sqrt(self, x: float) -> float:
        return np.float64(np.sqrt(x))

    def complement_power(self, b: float, t: int) -> float:
        return np.float64(super().complement_power(b, t))


class FloatSlot:
    """A slot of float64 vectors (:class:`~adamcore.conformance.oracle.trajectory.Slot`).

    Args:
        adam: the Adam to follow.
        parts: the parameter's flat real vectors.
        formula: a fault's formula, used in place of the definition's.
    """

    def __init__(self, adam: Adam, parts: list[FloatArray], formula: Update | None = None) -> None:
        self.adam, self.p, self.formula = adam, [p.astype(float) for p in parts], formula
        self.memory: dict[str, Any] = {}
        self.mu_product: float | None = 1.0
        self.reset_moments()

    def set_state(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        self.set_moments(m, v, v_max)
        self.mu_product = mu_product

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.m, self.v, self.v_max = [x.astype(float) for x in m], v.astype(float), v_max.astype(float)

    def set_parameter(self, parts: list[FloatArray]) -> None:
        self.p = [x.astype(float) for x in parts]

    def reset_moments(self) -> None:
        zero = np.zeros(self.p[0].shape)
        self.m, self.v, self.v_max = [zero for _ in self.p], zero, zero
        self.mu_product = 1.0

    def tick(self, t: int, lr: float) -> None:
        self.mu_product = coefficients(Host(), self.adam, t, lr, self.mu_product).mu_product

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        try:
            c = coefficients(Host(), self.adam, t, lr, self.mu_product)
        except (ValueError, ZeroDivisionError):  # a wrong clock at 0 or below
            c = coefficients(UncheckedHost(), self.adam, t, np.float64(lr), self.mu_product)
        c = c if fault is None else fault.coefficients(c, ModelHost())
        self.mu_product = c.mu_product
        if self.formula is not None and c.scale_g is not None:  # which formulas know nothing of
            grads, c = [c.scale_g * g for g in grads], c._replace(scale_g=None)
        parts = list(zip(self.p, grads, self.m, strict=True))
        if self.formula is None or fault is None:
            new, v, v_max = update(np, self.adam, c, parts, self.v, self.v_max)
        else:
            given = UpdateInput(parts, self.v, self.v_max, self.memory)
            new, v, v_max = self.formula(fault.context, c, given)
        moves = True if mask is None else mask
        self.p = [np.where(moves, p, old) for (p, _), old in zip(new, self.p, strict=True)]
        self.m = [np.where(moves, m, old) for (_, m), old in zip(new, self.m, strict=True)]
        self.v = np.where(moves, v, self.v)
        self.v_max = np.where(moves, v if v_max is None else v_max, self.v_max)

    def read(self) -> list[FloatArray]:
        return self.p


@lru_cache(maxsize=16384)
def float_trajectory(claim: Adam, probe: Probe, fault: Fault | None) -> Trajectory[FloatArray] | None:
    """Return the trajectory in float64, or None if the fault has no meaning under this claim or probe.

    >>> from adamcore.conformance.probes import PROBES
    >>> model = float_trajectory(Adam(), PROBES["STEP.1/fingerprint"], None)
    >>> model.steps[0][0][0]
    array([-1.05769231])
    """
    with np.errstate(all="ignore"):
        try:
            if fault is not None and not fault.is_of_input:
                return simulate(claim, probe, partial(FloatSlot, formula=fault.update), fault)
            few, which = unique_parameters(clipped(fault.probe(probe) if fault and fault.probe else probe))
            return repeat(simulate(claim, few, FloatSlot), which)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None
