"""Moments in 8 bits whose scale is bent, so that small numbers keep digits (rules STORE.10 to STORE.12).

m becomes a signed square: the code c stands for ``c * |c| * scale``.  v becomes a fourth power: the code c
stands for ``(c * c * scale)**2``.

The scale of m is a number of bfloat16.  Its 8 digits and the 14 of ``c * c`` fit in float32.  So the product
is exact, and no compiler can change it by fusing it with what comes next.  The scale of v is in float32: v
falls by a thousandth in a step without a gradient, which no code shows, so that the scale has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adamcore.storage.bits import INFINITY, NAN, SIZE, UPPER, Words

if TYPE_CHECKING:
    from adamcore.types import Array

BLOCK = 64  #: elements that share a scale
M_TOP, V_TOP = 127, 254  #: the largest code of a number; -128 and 255 stand for NaN
#: 1 / 127**2, less by one part in 2**20: a block whose numbers are those of its codes keeps its scale
M_PART = float.fromhex("0x1.040c10p-14")
V_PART = float.fromhex("0x1.040c20p-16")  #: 1 / 254**2
LEAST = 0x00800000  #: the word of 2**-126, the least scale of m
V_LEAST = 0x20000000  #: the word of 2**-63, the least scale of v: its square is 2**-126
WHOLE = 2.0**23  #: added to a smaller number, leaves its whole part in the low bits of the word


def encode_m(n: Words, x: Array) -> tuple[Array, Array]:
    """Return the codes of first moments, and the scales of their blocks.

    Args:
        n: the library's operations.
        x: the moments, in float32.
    """
    w = n.blocks(n.words(x), BLOCK)
    size = w & SIZE
    finite = size < INFINITY
    size = n.where(finite & (size >= LEAST), size, 0)
    scale = (n.words(n.floats(n.most(size)) * M_PART) + 0xFFFF) & n.word(UPPER)  # up to bfloat16
    scale = n.where(scale > LEAST, scale, LEAST)
    code = root_code(n, n.floats(size), scale, M_TOP)
    code = n.where(finite, n.where(w > SIZE, 0x80 - code, code + 0x80), 0)
    return n.unblocked(n.signed(code) - 0x80, x), n.each_block(n.signed(n.right(scale, 16)), x)


def decode_m(n: Words, codes: Array, scales: Array) -> Array:
    """Return the first moments of codes, in float32."""
    code = n.blocks((n.unsigned(codes) + 0x80) & 0xFF, BLOCK)  # 0x80 is that of 0
    size = n.where(code < 0x80, 0x80 - code, code - 0x80)
    w = n.words(whole(n, size * size) * n.floats(n.column(n.unsigned(scales) * 0x10000)))
    w = n.where((code < 0x80) & (code > 0), w | n.word(0x80000000), w)
    return n.unblocked(n.floats(n.where(code > 0, w, NAN)), codes)


def encode_v(n: Words, x: Array) -> tuple[Array, Array]:
    """Return the codes of second moments, and the scales of their blocks.

    Args:
        n, x: as for :func:`encode_m`; no number is below 0.
    """
    w = n.blocks(n.words(x), BLOCK)
    finite = (w < INFINITY) | ((w & SIZE) == 0)
    some = finite & ((w & SIZE) > 0)
    root = n.root(n.floats(n.where(some, n.where(w > LEAST, w, LEAST), 0)))
    scale = n.words(n.floats(n.most(n.words(root))) * V_PART)
    scale = n.where(scale > V_LEAST, scale, V_LEAST)
    code = root_code(n, root, scale, V_TOP)
    code = n.where(some & (code == 0), (code & 0) + 1, code)  # beside an m that is not 0, v is not 0 either
    codes = n.unblocked(n.signed(n.where(finite, code, 0xFF)), x)
    return codes, n.each_block(n.floats(scale), x)


def decode_v(n: Words, codes: Array, scales: Array) -> Array:
    """Return the second moments of codes, in float32."""
    code = n.blocks(n.unsigned(codes), BLOCK)
    root = whole(n, code * code) * n.column(scales)
    w = n.where(code > 0, n.words(root * root), 0)  # the choice keeps the product apart from a later sum
    return n.unblocked(n.floats(n.where(code < 0xFF, w, NAN)), codes)


def root_code(n: Words, x: Array, scale: Array, top: int) -> Array:
    """Return the root of ``x / scale``, rounded to the nearest whole number, ties to even, as words."""
    code = n.words(n.root(x * (1.0 / n.floats(scale))) + WHOLE) & 0x7FFFFF
    return n.where(code < top, code, top)


def whole(n: Words, w: Array) -> Array:
    """Return whole numbers below 2**23 in float32."""
    return n.floats(w | 0x4B000000) - WHOLE  # 0x4B000000 is the word of 2**23
