"""Affine arithmetic: numbers that carry a linear form of the errors in them.

An affine number is ``x0 + s_1 e_1 + ... + s_n e_n``: a centre x0, and for each noise symbol e_k,
an unknown in [-radius_k, radius_k], a sensitivity s_k.  Its error is at most the sum of
``|s_k| radius_k``.  When the definition is run with affine numbers it derives its own error bound:

- each operation adds one noise symbol, its rounding;
- what earlier roundings do to the result is carried along with its sign, so errors that cancel
  are seen to cancel;
- products, quotients and roots add a rigorous bound of their non-linear part.

A root whose argument has a relative error above 2**-4, as near v=0, is no longer treated as linear:
the result is an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adamcore.axes import CoefficientPrecision
from adamcore.conformance.types import FloatArray
from adamcore.definition import Number

LINEAR = 2.0**-4  #: the largest relative error of its argument for which a root is linear
DOUBLE_UNIT = 2.0**-53


@dataclass(frozen=True)
class Format:
    """How a floating-point format rounds: ``fl(x) = x (1 + d) + e``.

    Either field may be an array, with a format for each element.
    """

    unit: float | FloatArray  #: the largest |d|: 2**-24 in float32
    tiny: float | FloatArray
    """The largest |e|: half the smallest subnormal, or the smallest normal if subnormals are flushed."""


class NoiseSymbols:
    """The noise symbols of one computation: for each its radius, an array with a value per element."""

    ROWS = 96  #: the most symbols; the definition's longest step needs fewer

    def __init__(self, size: int, arithmetic: Format) -> None:
        self.size, self.format, self.count = size, arithmetic, 0
        self.radius: FloatArray = np.zeros((self.ROWS, size))
        self.finite = True  #: whether every radius is finite of the symbols that were looked at
        self.looked_at = 0  #: symbols, the first so many

    def add(self, radius: FloatArray | float) -> int:
        """Add a symbol and return its row."""
        self.radius[self.count] = radius
        self.count += 1
        return self.count - 1

    def total(self, sensitivity: FloatArray) -> FloatArray:
        """Return the largest error with these sensitivities: the sum of ``|s_k| radius_k`` in order."""
        n = self.count
        if self.finite and self.looked_at < n:
            self.finite = bool(np.isfinite(self.radius[self.looked_at : n]).all())
            self.looked_at = n
        size = np.abs(sensitivity[:n])
        effect = size * self.radius[:n] if self.finite else self.effect(size)
        total: FloatArray = np.add.reduce(effect, axis=0)
        return total

    def effect(self, sensitivity: FloatArray) -> FloatArray:
        """Return ``s_k radius_k``, a row for each symbol; 0 where s_k is 0, even if radius_k is infinite."""
        n = self.count
        effect = np.zeros((n, self.size))
        np.multiply(sensitivity[:n], self.radius[:n], out=effect, where=sensitivity[:n] != 0)
        return effect

    def constant(self, value: FloatArray | float) -> AffineNumber:
        """Return a vector without error."""
        centre = np.zeros(self.size)
        centre += value
        return AffineNumber(self, centre, np.zeros((self.ROWS, self.size)), np.zeros(self.size))


class AffineNumber:
    """A vector of affine numbers over shared noise symbols.

    The operators round their result once, as a processor does.

    >>> symbols = NoiseSymbols(1, Format(2.0**-24, 2.0**-150))
    >>> x = symbols.constant(1.0).add_error(1e-3)
    >>> bool((x - x).error[0] < 1e-9 < (x + x).error[0])
    True
    """

    __slots__ = ("centre", "error", "sensitivity", "symbols")
    __array_ufunc__ = None  # NumPy leaves the operators to this class

    def __init__(
        self,
        symbols: NoiseSymbols,
        centre: FloatArray,
        sensitivity: FloatArray,
        error: FloatArray | None = None,
    ) -> None:
        self.symbols, self.centre, self.sensitivity = symbols, centre, sensitivity
        #: how far each element may be from its centre; symbols of other numbers add nothing to it
        self.error = symbols.total(sensitivity) if error is None else error

    def add_error(self, radius: FloatArray | float) -> AffineNumber:
        """Add a noise symbol to this number, in place, and return the number."""
        self.sensitivity[self.symbols.add(radius)] = 1.0
        self.error = self.error + radius
        return self

    def rounded(self, rest: FloatArray | float = 0.0) -> AffineNumber:
        """Round the result of an operation, in place; ``rest`` bounds its non-linear part."""
        return self.rounded_to(self.symbols.format, rest)

    def rounded_to(self, into: Format, rest: FloatArray | float = 0.0) -> AffineNumber:
        """Round to a format, in place; an element that is exactly 0 stays exact."""
        size = np.abs(self.centre) + self.error + rest
        radius = into.unit * size + into.tiny + rest
        radius[size == 0] = 0.0
        return self.add_error(radius)

    def _like(self, other: Any) -> AffineNumber:
        return other if isinstance(other, AffineNumber) else self.symbols.constant(other)

    def __neg__(self) -> AffineNumber:
        return AffineNumber(self.symbols, -self.centre, -self.sensitivity, self.error)

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
        return AffineNumber(self.symbols, z, linear, size).rounded(rest)

    def __rtruediv__(self, other: Any) -> AffineNumber:
        return self._like(other) / self


def sqrt(x: AffineNumber) -> AffineNumber:
    """Return the root: linear where the relative error allows it, an interval elsewhere."""
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
    """Return the larger; where errors could turn the order, the error of the smaller counts too."""
    first = a.centre >= b.centre
    gap = np.abs(a.centre - b.centre)
    overlap = np.maximum(a.symbols.total(a.sensitivity - b.sensitivity) - gap, 0.0)
    centre, sensitivity, error = (
        np.where(first, getattr(a, of), getattr(b, of)) for of in ("centre", "sensitivity", "error")
    )
    return AffineNumber(a.symbols, centre, sensitivity, error).add_error(overlap)


def sign(x: AffineNumber) -> AffineNumber:
    """Return the sign; where the error could turn it, it may be any other."""
    centre, error = np.sign(x.centre), x.error
    turns = (error > 0) & (np.abs(x.centre) <= error)
    return x.symbols.constant(centre).add_error(np.where(turns, 1.0 + np.abs(centre), 0.0))


class AffineNamespace:
    """The array namespace of affine numbers, for :func:`adamcore.definition.update`."""

    maximum = staticmethod(maximum)
    sign = staticmethod(sign)
    root: AffineNumber  #: the last root that was taken

    def sqrt(self, x: AffineNumber) -> AffineNumber:
        self.root = sqrt(x)
        return self.root


class AffineCoefficients:
    """The :class:`~adamcore.definition.Numbers` that form coefficients with the errors a claim allows.

    The claim's choice on the axis ``coefficients`` (NUM.4) says how large they are:

    - "double": one rounding of what double precision gives;
    - "working": what the working precision gives, where 1 - b**t inherits t times the rounding of b;
    - "running": that, and the rounding of every factor of a running product.
    """

    def __init__(self, symbols: NoiseSymbols, precision: CoefficientPrecision) -> None:
        self.symbols = symbols
        self.unit = DOUBLE_UNIT if precision == "double" else np.maximum(symbols.format.unit, DOUBLE_UNIT)
        self.precision = precision

    def inexact(self, value: float, error: float | FloatArray) -> AffineNumber:
        """Return ``value`` with this error, rounded once more to the working precision."""
        return self.symbols.constant(value).add_error(error + self.symbols.format.unit * abs(value))

    def rounding_of(self, b: float) -> FloatArray:
        """Return how far ``b`` moves when it is rounded to the precision coefficients are formed in."""
        return np.where(self.unit > DOUBLE_UNIT, self.unit * b, 0.0)

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
        roundings = 4.0 + np.where(self.rounding_of(b) > 0, t, 0.0)
        roundings = roundings + (t if self.precision == "running" else 0.0)
        return self.inexact(value, self.unit * (roundings * (1.0 - value) + value))

    def factor(self, high: float, low: float, roundings: float) -> AffineNumber:
        """Return the factor of a clipped gradient after so many roundings."""
        return self.inexact(high, roundings * self.symbols.format.unit * abs(high))

    def keep(self, kept: Number, weight: Number) -> Number:
        # an average may be formed with two rounded weights, or with one from either end: this is the widest
        if not isinstance(kept, float):
            return kept
        farther = 3.0 * self.symbols.format.unit * (1.0 - kept) if kept < 0.5 else 0.0
        return self.inexact(kept, farther)
