"""Numbers that know how wrong they may be: error analysis as an arithmetic.

A `AffineNumber` vector is a centre and a signed sensitivity to every source of error: affine arithmetic.
Run the definition with it, and the definition derives its own error bound: each operation adds one
source (its rounding), and what earlier roundings do to the result is carried along with its sign,
so that errors which cancel are seen to cancel.  Products, quotients and roots add a rigorous bound
of what is not linear in the errors; where a root's argument is too uncertain for that (relative
error above 2**-4, as near v=0) the result becomes an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adamcore.axes import CoefficientPrecision
from adamcore.conformance.types import FloatArray
from adamcore.definition import Number

LINEAR = 2.0**-4  #: largest relative error for which a root is treated as linear


@dataclass(frozen=True)
class Format:
    """What rounding in a floating-point format does: ``fl(x) = x (1+d) + e``."""

    unit: float | FloatArray  #: |d| at most: 2**-24 in float32
    tiny: float | FloatArray
    """|e| at most: half the smallest subnormal, or the smallest normal when flushed.

    Either may be an array: a format for each element.
    """


class NoiseSymbols:
    """The symbols of error so far: each is an unknown in [-radius, radius], an element each."""

    ROWS = 96  #: more than the definition's longest step needs

    def __init__(self, size: int, arithmetic: Format) -> None:
        self.size, self.format, self.count = size, arithmetic, 0
        self.radius: FloatArray = np.zeros((self.ROWS, size))

    def add(self, radius: FloatArray | float) -> int:
        self.radius[self.count] = radius
        self.count += 1
        return self.count - 1

    def total(self, sensitivity: FloatArray) -> FloatArray:
        """The largest error with these sensitivities: sum of |s_k| * radius_k."""
        total: FloatArray = self.effect(np.abs(sensitivity)).sum(axis=0)
        return total

    def effect(self, sensitivity: FloatArray) -> FloatArray:
        """What each source does at its largest; nothing where there is no sensitivity to it."""
        n = self.count
        effect = np.zeros((n, self.size))
        np.multiply(sensitivity[:n], self.radius[:n], out=effect, where=sensitivity[:n] != 0)
        return effect

    def constant(self, value: FloatArray | float) -> AffineNumber:
        """A vector without error."""
        centre = np.zeros(self.size)
        centre += value
        return AffineNumber(self, centre, np.zeros((self.ROWS, self.size)))


class AffineNumber:
    """A vector of real numbers, each known up to a linear form in the symbols of error."""

    __slots__ = ("centre", "sensitivity", "symbols")
    __array_ufunc__ = None  # NumPy operands defer to us

    def __init__(self, symbols: NoiseSymbols, centre: FloatArray, sensitivity: FloatArray) -> None:
        self.symbols, self.centre, self.sensitivity = symbols, centre, sensitivity

    @property
    def error(self) -> FloatArray:
        return self.symbols.total(self.sensitivity)

    def add_error(self, by: FloatArray | float) -> AffineNumber:
        """One more source of error, of radius ``by``; for a result that nobody holds yet."""
        self.sensitivity[self.symbols.add(by)] = 1.0
        return self

    def rounded(self, rest: FloatArray | float = 0.0) -> AffineNumber:
        """The result of an operation: one rounding, and what was not linear."""
        return self.rounded_to(self.symbols.format, rest)

    def rounded_to(self, into: Format, rest: FloatArray | float = 0.0) -> AffineNumber:
        """Rounded into a format; what is exactly 0 stays so."""
        size = np.abs(self.centre) + self.error + rest
        return self.add_error(np.where(size == 0, 0.0, into.unit * size + into.tiny + rest))

    def _like(self, other: Any) -> AffineNumber:
        return other if isinstance(other, AffineNumber) else self.symbols.constant(other)

    def __neg__(self) -> AffineNumber:
        return AffineNumber(self.symbols, -self.centre, -self.sensitivity)

    def __add__(self, other: Any) -> AffineNumber:
        b = self._like(other)
        return AffineNumber(self.symbols, self.centre + b.centre, self.sensitivity + b.sensitivity).rounded()

    def __sub__(self, other: Any) -> AffineNumber:
        b = self._like(other)
        return AffineNumber(self.symbols, self.centre - b.centre, self.sensitivity - b.sensitivity).rounded()

    def __rsub__(self, other: Any) -> AffineNumber:
        return self._like(other) - self

    def __mul__(self, other: Any) -> AffineNumber:
        b = self._like(other)
        linear = self.sensitivity * b.centre + b.sensitivity * self.centre
        return AffineNumber(self.symbols, self.centre * b.centre, linear).rounded(self.error * b.error)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> AffineNumber:
        b = self._like(other)
        with np.errstate(all="ignore"):
            z = self.centre / b.centre
            linear = (self.sensitivity - b.sensitivity * z) / b.centre
            relative = b.error / np.abs(b.centre)
            # (a+da)/(b+db) - a/b = linear / (1 + db/b)
            size = self.symbols.total(linear)
            rest = np.where(relative < 1.0, size * relative / (1.0 - relative), np.inf)
        return AffineNumber(self.symbols, z, linear).rounded(rest)

    def __rtruediv__(self, other: Any) -> AffineNumber:
        return self._like(other) / self


def sqrt(x: AffineNumber) -> AffineNumber:
    """The root, linear where that holds, an interval where it does not."""
    error, root = x.error, np.sqrt(x.centre)
    with np.errstate(all="ignore"):
        relative = np.where(error > 0, error / x.centre, 0.0)
        linear = relative <= LINEAR
        slope = np.where(linear & (error > 0), 0.5 / root, 0.0)
        up = np.sqrt(x.centre + error) - root
        down = root - np.sqrt(np.maximum(x.centre - error, 0.0))
        # sqrt(1+e) = 1 + e/2 - r with 0 <= r <= e**2/2 for |e| <= 1
        rest = np.where(linear, 0.5 * root * relative**2, np.maximum(up, down))
    return AffineNumber(x.symbols, root, x.sensitivity * slope).rounded(rest)


def maximum(a: AffineNumber, b: AffineNumber) -> AffineNumber:
    """The larger: it follows the winner, and the loser where errors could turn the order."""
    first = a.centre >= b.centre
    gap = np.abs(a.centre - b.centre)
    overlap = np.maximum(a.symbols.total(a.sensitivity - b.sensitivity) - gap, 0.0)
    winner = np.where(first, a.sensitivity, b.sensitivity)
    return AffineNumber(a.symbols, np.where(first, a.centre, b.centre), winner).add_error(overlap)


class AffineNamespace:
    """The array namespace of noisy vectors."""

    sqrt = staticmethod(sqrt)
    maximum = staticmethod(maximum)


class AffineCoefficients:
    """Coefficients with the errors that a claim allows them (axis ``coefficients``, rule NUM.4).

    Each is within one rounding of what double precision gives; under ``working`` within what the
    working precision gives, where 1 - b**t inherits t times the rounding of b; under ``running``
    also the rounding of every factor.
    """

    def __init__(self, symbols: NoiseSymbols, precision: CoefficientPrecision) -> None:
        self.symbols = symbols
        double = 2.0**-53
        self.formed = double if precision == "double" else np.maximum(symbols.format.unit, double)
        self.precision = precision

    def inexact(self, value: float, error: float | FloatArray) -> AffineNumber:
        return self.symbols.constant(value).add_error(error + self.symbols.format.unit * abs(value))

    def rounding_of(self, b: float) -> FloatArray:
        """How far ``b`` moves when it is rounded to the precision coefficients are formed in."""
        return np.where(self.formed > 2.0**-53, self.formed * b, 0.0)

    def number(self, value: float) -> AffineNumber:
        return self.inexact(value, 0.0)

    def sqrt(self, x: AffineNumber) -> AffineNumber:
        return sqrt(x)

    def power(self, base: float, k: int, rate: float) -> AffineNumber:
        return self.inexact(math.pow(base, k * rate), 0.0)

    def successor(self, t: int) -> int:
        return t + 1

    def complement(self, b: float) -> AffineNumber:
        return self.inexact(1.0 - b, self.rounding_of(b))

    def complement_power(self, b: float, t: int) -> AffineNumber:
        value = 1.0 if b == 0 else -math.expm1(t * math.log1p(b - 1.0))
        roundings = (
            4.0 + np.where(self.rounding_of(b) > 0, t, 0.0) + (t if self.precision == "running" else 0.0)
        )
        return self.inexact(value, self.formed * (roundings * (1.0 - value) + value))

    def keep(self, kept: Number, weight: Number) -> Number:
        # two weights, each rounded: the wider of the two forms of an average
        return self.number(kept) if isinstance(kept, float) else kept
