"""Moments in 8 bits by the dynamic codebook of bitsandbytes and torchao (rules STORE.14 and STORE.15).

A code is the place of a number in a table of 256, and a scale the largest number of a block.  The tables are
those of *8-bit Optimizers via Block-wise Quantization*, https://arxiv.org/abs/2110.02861.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from adamcore.storage.bits import INFINITY, NAN, SIZE, TableWords

if TYPE_CHECKING:
    from adamcore.types import Array

BLOCK = 256  #: elements that share a scale
SMALL = 4096  #: arrays with fewer elements are kept plainly
MOST = 0x7E800000  #: the word of 2**126, of which the reciprocal is still normal
LEAST = 0x0D800000  #: the word of 2**-100, the least scale of a block that is not all 0


def single(x: float) -> float:
    """Return a number rounded to float32.

    >>> single(0.1) == 0.1, single(0.5)
    (False, 0.5)
    """
    rounded: float = struct.unpack("f", struct.pack("f", x))[0]
    return rounded


def table(signed: bool) -> tuple[float, ...]:
    """Return the numbers that the codes 0 to 255 stand for, ascending, each one of float32.

    For each power of ten from 1e-6 to 1 the interval from 0.1 to 1 of it is divided in equal parts, twice as
    many as for the power before; the middle of each is a number.  0 and 1 are numbers too.

    >>> table(True)[126:129], table(False)[:2], table(True)[255]
    ((-5.500000384017767e-07, 0.0, 5.500000384017767e-07), (0.0, 3.2500003044333425e-07), 1.0)
    """
    return TABLES[signed]


def middles(signed: bool) -> tuple[float, ...]:
    """Return the numbers half way between two of :func:`table`, in float32."""
    return MIDDLES[signed]


def rising(signed: bool) -> list[tuple[float, float]]:
    """Return the slope and the start of a line for each power of ten, from 1e-6 to 1.

    The numbers of one power of ten are equally far apart, so their places rise along a line, and less steeply
    than those of the power before.  The least of all lines at a number that is not below 0, rounded down, is
    therefore the number of :func:`middles` from 0 to it, or one more.

    >>> x = 0.5
    >>> min(int(slope * x + start) for slope, start in rising(True)), sum(0 < y <= x for y in middles(True))
    (92, 92)
    """
    parts = [2 ** (i if signed else i + 1) for i in range(7)]
    above = 0.5 if signed else -0.5  # the codes without a sign begin with two parts
    return [(single(n / 0.9 * 10.0 ** (6 - i)), single(n * 8.0 / 9.0 + above)) for i, n in enumerate(parts)]


def made_table(signed: bool) -> tuple[float, ...]:
    """Make what :func:`table` returns."""
    found = [0.0, 1.0]
    low = single(0.1)
    for i in range(7):
        parts = 2 ** (i if signed else i + 1)
        step, power = single(single(1.0 - low) / parts), single(10.0 ** (i - 6))
        ends = [low + step * k if 2 * k < parts else 1.0 - step * (parts - k) for k in range(parts + 1)]
        ends = list(map(single, ends))
        for a, b in pairwise(ends):
            x = single(single(single(a + b) / 2.0) * power)
            found += [x, -x] if signed else [x]
    return tuple(sorted(found))


TABLES = {signed: made_table(signed) for signed in (True, False)}
MIDDLES = {
    signed: tuple(single((a + b) / 2.0) for a, b in pairwise(numbers)) for signed, numbers in TABLES.items()
}


def encode(n: TableWords, x: Array, signed: bool) -> tuple[Array, Array]:
    """Return the codes of numbers, and the scales of their blocks, in float32.

    Args:
        n: the library's operations.
        x: the numbers, in float32.
        signed: True for first moments; numbers without a sign are 0 or larger.
    """
    w = n.blocks(n.words(x), BLOCK)
    size = w & SIZE
    most = n.most(size)
    scale = n.where(most > 0, n.where(most > LEAST, most, LEAST), 0)
    by = n.where(scale < MOST, n.where(scale > 0, scale, MOST), MOST)
    codes = n.places(middles(signed), n.floats(w) * (1.0 / n.floats(by)))
    if not signed:
        codes = n.where((size > 0) & (codes == 0), (codes & 0) + 1, codes)  # as under "companded8"
    return n.unblocked(codes, x), n.each_block(n.floats(scale), x)


def decode(n: TableWords, codes: Array, scales: Array, signed: bool) -> Array:
    """Return the numbers of codes, in float32."""
    scale = n.column(scales)
    x = n.blocks(n.entries(table(signed), codes), BLOCK) * scale
    finite = n.words(scale) < INFINITY  # the choice keeps the product apart from a later sum
    return n.unblocked(n.floats(n.where(finite, n.words(x), NAN)), codes)
