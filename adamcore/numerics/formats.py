"""Floating-point formats as numbers: what a dtype can hold, and where it stops to move."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from adamcore.types import DType

PARTS = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}
#: digits of the significand, and the exponents of the smallest normal and of the largest number
BINARY = {
    "bfloat16": (8, -126, 127),
    "float16": (11, -14, 15),
    "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}


class Format(NamedTuple):
    """A binary floating-point format, rounded to nearest, ties to even."""

    name: str
    digits: int  #: of the significand, the leading one included
    least: float  #: the smallest positive number
    zero: float  #: the largest positive number that becomes 0
    greatest: float  #: the largest finite number

    def spacing(self, x: float) -> float:
        """Return the distance from ``|x|``, a number of the format that is not 0, to the next larger one."""
        return max(math.ldexp(1.0, math.frexp(x)[1] - self.digits), self.least)

    def vanishes(self, x: float) -> bool:
        """True if the positive number ``x`` becomes 0 or infinite in this format."""
        return x <= self.zero or x >= self.greatest + self.spacing(self.greatest) / 2

    def stuck_above(self, step: float) -> float:
        """Return the least power of two above which ``step`` moves no number: half a spacing is more.

        >>> format_of("bfloat16").stuck_above(1e-3)
        0.5
        """
        return math.ldexp(1.0, math.frexp(step)[1] + self.digits)

    def shortfall(self, weight: float) -> float:
        """Return r, where a moving average of this ``weight`` stops at ``1/(1+r)`` of what it averages.

        A value with the significand f in [1, 2) moves to a mean of G times its power of two while
        ``weight * (G - f)`` is more than half a spacing, ``2**-digits``: while f + r < G.  Growing from 0 it
        stops between 1/(1 + r) and 1/(1 + r/2) of the mean.  Falling to 0 it stops where f <= r.

        >>> format_of("bfloat16").shortfall(2.0**-8)
        1.0
        """
        return math.ldexp(1.0 / weight, -self.digits)


def format_of(dtype: DType, flushed_below: float = 0.0) -> Format | None:
    """Return the format of a real dtype, or of the parts of a complex one; None if it is not known.

    Args:
        dtype: a dtype of any library.
        flushed_below: the least positive number of the arithmetic.

    >>> format_of("float16").digits, format_of("float16").greatest
    (11, 65504.0)
    """
    name = str(dtype).rsplit(".", 1)[-1]
    name = PARTS.get(name, name)
    if name not in BINARY:
        return None
    digits, low, high = BINARY[name]
    least = math.ldexp(1.0, low - digits + 1)
    zero = least / 2
    if least < flushed_below:
        least = zero = flushed_below
    return Format(name, digits, least, zero, math.ldexp(2.0 - math.ldexp(1.0, 1 - digits), high))
