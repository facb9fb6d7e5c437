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
M_LEAST = 0x01800000  #: the word of 2**-124, the least scale of m: a subnormal m becomes 0
V_LEAST = 0x20000000  #: the word of 2**-63, the least scale of v: its square is 2**-126
M_END, V_END = 128.0**2, 255.0**2  #: what NaN and infinity count as in a block, in parts of the scale
SIGN = 0x80000000  #: the bit of the sign
WHOLE = 2.0**23  #: added to a smaller number, leaves its whole part in the low bits of the word
SIGNED_WHOLE = 1.5 * 2.0**23  #: the same of a number of either sign


def encode_m(n: Words, x: Array) -> tuple[Array, Array]:
    """Return the codes of first moments, and the scales of their blocks.

    Args:
        n: the library's operations.
        x: the moments, in float32.
    """
    w = n.blocks(n.words(x), BLOCK)
    scale = m_scale(n, w)
    codes = m_codes(n, w, 1.0 / n.floats(scale))
    return n.unblocked(codes, x), n.each_block(n.signed(n.right(scale, 16)), x)


def m_scale(n: Words, w: Array) -> Array:
    """Return the words of the scales, a column, from the words of first moments in blocks."""
    size = w & SIZE
    largest = n.most(n.usual(size < INFINITY, size, 0))
    scale = (n.words(n.floats(largest) * M_PART) + 0xFFFF) & n.word(UPPER)  # up to bfloat16
    return n.where(scale > M_LEAST, scale, M_LEAST)


def m_codes(n: Words, w: Array, over: Array) -> Array:
    """Return the codes of first moments from their words in blocks, and from the scales' reciprocals."""
    return m_rounded(n, n.root(m_square(n, w, over)), w)


def m_square(n: Words, w: Array, over: Array) -> Array:
    """Return the numbers whose roots are the sizes of the codes."""
    z = n.floats(w & SIZE) * over
    return n.usual(z < M_END, z, M_END)  # of NaN too


def m_rounded(n: Words, root: Array, w: Array) -> Array:
    """Return the codes from the roots of :func:`m_square`, and from the words of the moments."""
    signed = n.floats(n.words(root) | (w & n.word(SIGN)))
    return n.byte(n.words(signed + SIGNED_WHOLE), True)


def decode_m(n: Words, codes: Array, scales: Array) -> Array:
    """Return the first moments of codes, in float32."""
    rows = n.blocks(codes, BLOCK)
    code, scale = n.number(rows), n.floats(n.column(n.unsigned(scales) * 0x10000))
    w = n.words(code * abs(code) * scale)
    return n.unblocked(n.floats(n.usual(code > -128.0, w, NAN)), codes)


def encode_v(n: Words, x: Array) -> tuple[Array, Array]:
    """Return the codes of second moments, and the scales of their blocks.

    Args:
        n, x: as for :func:`encode_m`; no number is below 0.
    """
    w, roots = n.blocks(n.words(x), BLOCK), n.blocks(n.words(n.root(x)), BLOCK)
    scale = v_scale(n, roots)
    codes = v_codes(n, roots, 1.0 / n.floats(scale), (w & SIZE) > 0)
    return n.unblocked(codes, x), n.each_block(n.floats(scale), x)


def v_scale(n: Words, roots: Array) -> Array:
    """Return the words of the scales, a column, from the words of second moments' roots in blocks."""
    largest = n.most(n.usual(roots < INFINITY, roots, 0))
    scale = n.words(n.floats(largest) * V_PART)
    return n.where(scale > V_LEAST, scale, V_LEAST)


def v_codes(n: Words, roots: Array, over: Array, some: Array) -> Array:
    """Return the codes of second moments.

    Args:
        n: the library's operations.
        roots: the words of their roots, in blocks.
        over: the reciprocals of the scales, a column.
        some: False for a moment that is 0.  A library may take the root of a small number for 0.
    """
    return v_rounded(n, n.root(v_square(n, roots, over)), some)


def v_square(n: Words, roots: Array, over: Array) -> Array:
    """Return the numbers whose roots are the codes."""
    z = n.floats(roots) * over
    z = n.usual(z < V_END, z, V_END)
    return n.where(z > 1.0, z, 1.0)  # beside an m that is not 0, v is not 0 either


def v_rounded(n: Words, root: Array, some: Array) -> Array:
    """Return the codes from the roots of :func:`v_square`; ``some`` is as for :func:`v_codes`."""
    return n.byte(n.where(some, n.words(root + WHOLE), 0), False)


def decode_v(n: Words, codes: Array, scales: Array) -> Array:
    """Return the second moments of codes, in float32."""
    code = n.number(n.blocks(codes, BLOCK))
    root = code * code * n.column(scales)
    w = n.words(root * root)
    return n.unblocked(n.floats(n.usual(code < 255.0, w, NAN)), codes)  # keeps the product apart from a sum
