"""The oracle: the exact trajectory of a probe, from the definition run in ball arithmetic.

A ball is an interval, a midpoint of 256 bits and a radius, that contains the exact value
(python-flint's ``arb``); arrays are NumPy object arrays of balls.  An answer is kept as the sum of two
floats, ``high + low``, which hold 106 bits of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb, ctx

from adamcore import Adam
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.perturbation import Fault, StepFault
from adamcore.conformance.oracle.sharing import canonical_claim, first_alike, without_repeats
from adamcore.conformance.oracle.trajectory import Trajectory, simulate
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import Number, coefficients, update

PRECISION = 256  #: bits of the balls' midpoints

_sqrt = np.frompyfunc(lambda x: x.sqrt(), 1, 1)
_max = np.frompyfunc(lambda a, b: a.max(b), 2, 1)
_sign = np.frompyfunc(lambda x: x.sgn(), 1, 1)
_ball = np.frompyfunc(arb, 1, 1)
_high = np.frompyfunc(lambda x: float(x.mid()), 1, 1)
_low = np.frompyfunc(lambda x, high: float(x.mid() - high) if math.isfinite(high) else 0.0, 2, 1)
_radius = np.frompyfunc(lambda x: float(x.rad()), 1, 1)


class BallCoefficients:
    """The :class:`~adamcore.definition.Numbers` that form coefficients as balls."""

    def number(self, value: float) -> Number:
        return arb(value)

    def sqrt(self, x: Number) -> Number:
        return x.sqrt()

    def power(self, base: float, k: int, rate: float) -> Number:
        return arb(base) ** (arb(rate) * k)

    def successor(self, t: int) -> int:
        return t + 1

    def complement(self, b: float) -> Number:
        return 1 - arb(b)

    def complement_power(self, b: float, t: int) -> Number:
        return 1 - arb(b) ** t

    def keep(self, kept: Number, weight: Number) -> Number | None:
        return arb(kept)

    def factor(self, high: float, low: float, roundings: float) -> Number:
        """Return the factor of a clipped gradient (:class:`adamcore.conformance.types.Scaling`)."""
        return arb(high) + arb(low)


class BallNamespace:
    """The array namespace of object arrays of balls, for :func:`adamcore.definition.update`."""

    sqrt = staticmethod(_sqrt)
    maximum = staticmethod(_max)
    sign = staticmethod(_sign)


@dataclass(frozen=True)
class Value:
    """An exact vector, ``high + low``; ``radius`` bounds its distance from the midpoint of the ball."""

    high: FloatArray
    low: FloatArray
    radius: FloatArray

    def error_of(self, got: FloatArray) -> FloatArray:
        """Return ``got - exact`` in float64, correct to its last bits even where the two are close."""
        return (got.astype(np.float64) - self.high) - self.low


class ExactSlot:
    """A slot of balls (:class:`~adamcore.conformance.oracle.trajectory.Slot`)."""

    def __init__(self, adam: Adam, parts: list[FloatArray]) -> None:
        self.adam = adam
        self.p = [_ball(p.astype(object)) for p in parts]
        zero = _ball(np.zeros(parts[0].shape).astype(object))
        self.m = [zero for _ in parts]
        self.v, self.v_max = zero, zero
        self.mu_product: Number | None = arb(1)

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        c = coefficients(BallCoefficients(), self.adam, t, arb(lr), self.mu_product)
        c = c if fault is None else fault.coefficients(c, BallCoefficients())
        self.mu_product = c.mu_product
        parts = [(p, _ball(g.astype(object)), m) for p, g, m in zip(self.p, grads, self.m, strict=True)]
        new, v, v_max = update(BallNamespace, self.adam, c, parts, self.v, self.v_max)

        def chosen(after: Any, before: Any) -> Any:
            return after if mask is None else np.where(mask, after, before)

        self.p = [chosen(p, old) for (p, _), old in zip(new, self.p, strict=True)]
        self.m = [chosen(m, old) for (_, m), old in zip(new, self.m, strict=True)]
        self.v, self.v_max = chosen(v, self.v), chosen(v_max, self.v_max)

    def set_state(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        self.set_moments(m, v, v_max)
        self.mu_product = arb(mu_product)

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.m = [_ball(x.astype(object)) for x in m]
        self.v, self.v_max = _ball(v.astype(object)), _ball(v_max.astype(object))

    def set_parameter(self, parts: list[FloatArray]) -> None:
        self.p = [_ball(x.astype(object)) for x in parts]

    def tick(self, t: int, lr: float) -> None:
        self.mu_product = coefficients(BallCoefficients(), self.adam, t, arb(lr), self.mu_product).mu_product

    def reset_moments(self) -> None:
        zero = _ball(np.zeros(self.v.shape).astype(object))
        self.m, self.v, self.v_max, self.mu_product = [zero for _ in self.m], zero, zero, arb(1)

    def read(self) -> list[Value]:
        return [as_value(p) for p in self.p]


def as_value(balls: Any) -> Value:
    high = _high(balls)
    return Value(high.astype(float), _low(balls, high).astype(float), _radius(balls).astype(float))


@lru_cache(maxsize=4096)
def _exact(claim: Adam, probe: Probe, fault: Fault | None) -> Trajectory[Value]:
    if fault is not None and fault.probe is not None and fault.is_of_input:
        probe, fault = fault.probe(probe), None
    with ctx.workprec(PRECISION):
        if fault is not None:  # an element's answer may depend on its index
            return simulate(claim, probe, ExactSlot, fault)
        short, whole = without_repeats(clipped(probe))
        return whole(simulate(claim, short, ExactSlot))


def exact(claim: Adam, probe: Probe, fault: Fault | None = None) -> Trajectory[Value]:
    """Return the exact trajectory of a probe.

    Args:
        claim: the axes; the hyperparameters are the probe's.
        probe: the input.
        fault: a fault that the answer is to have besides.

    Returns:
        A :class:`Value` for each step, parameter and real vector.

    >>> from adamcore.conformance.probes import PROBES
    >>> exact(Adam(), PROBES["STEP.1/fingerprint"]).steps[0][0][0].high
    array([-1.05769231])
    """
    probe = probe if fault else first_alike(probe)
    return _exact(canonical_claim(claim, probe, fault), probe, fault)


def round_once(ball: Any, bits: int, smallest: int) -> float:
    """Round a ball to the nearest number of a format, ties to even.

    The exact value is rounded once; a detour through float64 would round it twice.

    Args:
        ball: an ``arb``.
        bits: the significant bits of the format, 24 for float32.
        smallest: the exponent of its smallest subnormal, -149 for float32.

    Raises:
        ArithmeticError: the ball straddles a rounding boundary.

    >>> round_once(arb(1) / 3, 24, -149) == float(np.float32(1 / 3))
    True
    """

    def nearest(x: Any) -> float:
        mantissa, exponent = (int(k) for k in x.man_exp())
        drop = max(abs(mantissa).bit_length() - bits, smallest - exponent)
        if drop > 0:
            half, whole = 1 << (drop - 1), abs(mantissa)
            kept = whole >> drop
            rest = whole - (kept << drop)
            kept += rest > half or (rest == half and kept & 1)
            mantissa, exponent = (kept if mantissa > 0 else -kept), exponent + drop
        return math.ldexp(mantissa, exponent)

    low, high = nearest(ball.lower()), nearest(ball.upper())
    if low != high:
        raise ArithmeticError(f"{ball} straddles a rounding boundary: raise PRECISION")
    return low
