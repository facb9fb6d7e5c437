"""Measured numbers: values with an uncertainty that follows them through the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adamcore.conformance.types import FloatArray

#: Values that agree to within this relative distance count as the same; finer differences are a matter of
#: precision, which the bounds of a check judge.
SAME = 2.0**-16


class Measured:
    """An array of values, each with the largest error that rounding can have given it.

    Errors are propagated to first order.  A value that could not be measured is NaN.

    >>> half = Measured([1.0], [0.25]) / Measured([2.0], [0.0])
    >>> half.value.tolist(), half.error.tolist()
    ([0.5], [0.125])
    """

    def __init__(self, value: Any, error: Any = 0.0, same: float = SAME) -> None:
        self.value: FloatArray = np.asarray(value, dtype=np.float64)
        self.same = same  #: the relative distance within which values count as the same
        self.error: FloatArray = np.broadcast_to(np.asarray(error, np.float64), self.value.shape)

    def __getitem__(self, index: Any) -> Measured:
        return Measured(self.value[index], self.error[index])

    def __len__(self) -> int:
        return len(self.value)

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Measured) -> Measured:
        return Measured(self.value - other.value, self.error + other.error)

    def __mul__(self, other: Measured | float) -> Measured:
        by = other if isinstance(other, Measured) else Measured(other)
        error = np.abs(self.value) * by.error + self.error * np.abs(by.value)
        return Measured(self.value * by.value, error)

    def __truediv__(self, other: Measured | float) -> Measured:
        by = other if isinstance(other, Measured) else Measured(other)
        with np.errstate(all="ignore"):
            value = np.where(by.value == 0, np.nan, self.value / by.value)
            error = (self.error + np.abs(value) * by.error) / np.abs(by.value)
        return Measured(value, error)

    def squared(self) -> Measured:
        """Return the squares."""
        return self * self

    def sqrt(self) -> Measured:
        """Return the square roots; NaN where a value is negative."""
        with np.errstate(all="ignore"):
            root = np.sqrt(self.value)
            return Measured(root, np.where(root == 0, np.sqrt(self.error), 0.5 * self.error / root))

    def log2(self) -> Measured:
        """Return the logarithms to base 2, the same within SAME; NaN where a value is below 0."""
        with np.errstate(all="ignore"):
            value = np.where(self.value > 0, np.log2(np.abs(self.value)), np.nan)
            return Measured(value, self.error / np.abs(self.value) / np.log(2.0) + SAME)

    def equals(self, other: Measured | float) -> FloatArray:
        """Return where two measurements agree, or where neither could be made."""
        by = other if isinstance(other, Measured) else Measured(other)
        with np.errstate(all="ignore"):
            largest = np.maximum(np.abs(self.value), np.abs(by.value))
            allowed = 4.0 * (self.error + by.error) + min(self.same, by.same) * largest
            near = np.abs(self.value - by.value) <= allowed
        same: FloatArray = near | (np.isnan(self.value) & np.isnan(by.value))
        return same

    def first(self, other: Measured | float) -> int | None:
        """Return the index of the first value that does not agree, or None."""
        apart = np.flatnonzero(~np.atleast_1d(self.equals(other)))
        return int(apart[0]) if len(apart) else None

    def all_equal(self, other: Measured | float) -> bool:
        """True if all values agree."""
        return self.first(other) is None


def join(parts: Sequence[Measured]) -> Measured:
    """Return single values as one array."""
    return Measured([p.value for p in parts], [p.error for p in parts])
