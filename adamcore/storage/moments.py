"""How a moment is kept between steps: in a dtype of its own, or in 8 bits with a scale for each block.

:func:`encode` makes codes and scales of float32 numbers, and :func:`decode` numbers of these.  What decides a
block is where an element stands in the order of the indices of the whole array (rule STORE.9).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from adamcore.storage import blockwise, companded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adamcore.storage.bits import TableWords
    from adamcore.types import Array

MomentStorage = Literal["plain", "stochastic", "companded8", "blockwise8"]
MOMENT_STORAGES = get_args(MomentStorage)
IN_8_BITS: tuple[MomentStorage, ...] = ("companded8", "blockwise8")


class Coding(NamedTuple):
    """How the numbers of a moment are kept in 8 bits; None stands for numbers of a dtype."""

    policy: MomentStorage
    signed: bool  #: True of m; v and v_max have no sign

    @property
    def dtype(self) -> str:
        """The name of the dtype of the codes."""
        return "int8" if self.signed and self.policy == "companded8" else "uint8"

    @property
    def scale_dtype(self) -> str:
        """The name of the dtype of the scales."""
        return "int16" if self.signed and self.policy == "companded8" else "float32"

    @property
    def block(self) -> int:
        """How many elements share a scale."""
        return companded.BLOCK if self.policy == "companded8" else blockwise.BLOCK

    def serves(self, shape: Sequence[int]) -> bool:
        """True if moments of this shape are kept so; small ones may be kept plainly.

        >>> Coding("blockwise8", True).serves((63, 65)), Coding("companded8", True).serves(())
        (False, True)
        """
        return self.policy != "blockwise8" or prod(shape) >= blockwise.SMALL

    def blocks(self, shape: Sequence[int]) -> int:
        """Return how many scales an array of this shape has.

        >>> Coding("companded8", True).blocks((3, 43))
        3
        """
        return -(-prod(shape) // self.block)


def encode(n: TableWords, coding: Coding, x: Array) -> tuple[Array, Array]:
    """Return the codes of numbers, in the shape of ``x``, and the scales, a vector with one for each block.

    Args:
        n: the library's operations.
        coding: how they are kept.
        x: the numbers, in float32.
    """
    if coding.policy == "blockwise8":
        return blockwise.encode(n, x, coding.signed)
    return companded.encode_m(n, x) if coding.signed else companded.encode_v(n, x)


def updated(
    n: TableWords, coding: Coding, x: Array, where: Array | None, codes: Array, scales: Array
) -> tuple[Array, Array]:
    """Return the codes and the scales of a moment after a step.

    A block in which no element takes part keeps its codes and its scale.  In another one an element that
    does not take part is kept anew, with the scale that the block has now (STORE.13).

    Args:
        n, coding: as for :func:`encode`.
        x: the new numbers, in float32.
        where: booleans that broadcast to ``x``, False for an element that does not take part; None: all do.
        codes, scales: those before the step.
    """
    if where is None:
        return encode(n, coding, x)
    x = n.where(where, x, decode(n, coding, codes, scales))
    new, new_scales = encode(n, coding, x)
    takes_part = n.blocks(n.where(where, (n.words(x) & 0) + 1, 0), coding.block)
    changes = n.most(takes_part) > 0
    rows = n.where(changes, n.blocks(new, coding.block), n.blocks(codes, coding.block))
    column = n.where(changes, n.column(new_scales), n.column(scales))
    return n.unblocked(rows, x), n.each_block(column, x)


def decode(n: TableWords, coding: Coding, codes: Array, scales: Array) -> Array:
    """Return the numbers of codes, in float32."""
    if coding.policy == "blockwise8":
        return blockwise.decode(n, codes, scales, coding.signed)
    return companded.decode_m(n, codes, scales) if coding.signed else companded.decode_v(n, codes, scales)
