"""The layout of a list of arrays for the kernel of :mod:`.cuda`: its launches, and the tables of their words.

A launch steps n arrays of a program with A arrays for each.  Its table has these words:

* ``k*n + i``: the address of array k of the i-th;
* ``A*n + i``: its number of elements;
* ``(A+1)*n + i``: the number of pieces up to and with it;
* ``(A+2)*n + i``: the row of its coefficients.

A block of threads steps one piece.  All blocks have the same work but for the last piece of an array.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from adamcore.backends.kernels.cuda.kernel import PIECE

SMALL = 440  #: words of a table that every GPU takes: the arguments of a launch have 4096 bytes
MIDDLE = 1200  #: for some 170 arrays, as a model has: a launch copies its table, whether it is full or not
LARGE = 4000  #: since CUDA 12.1 they have 32764
BESIDE = 3  #: words of an array beside its addresses


class Part(NamedTuple):
    """The arrays of one launch."""

    indices: Sequence[int]  #: in the list
    sizes: array[int]
    ends: array[int]  #: pieces up to and with each
    words: int  #: of its table

    @property
    def blocks(self) -> int:
        return self.ends[-1]


def parts(indices: Sequence[int], sizes: Sequence[int], arrays: int, most: int) -> Iterator[Part]:
    """Yield the launches for some arrays of a list.

    Args:
        indices: which of the list.
        sizes: the number of elements of each of the list.
        arrays: how many arrays the program has.
        most: the number of words that a table can have.

    >>> [(list(part.indices), part.blocks) for part in parts([0, 2], [5000, 7, 4096], 4, SMALL)]
    [([0, 2], 3)]
    """
    row = arrays + BESIDE
    indices = [i for i in indices if sizes[i]]  # an empty array has no piece
    room = most // row
    for at in range(0, len(indices), room):
        part = indices[at : at + room]
        ends = array("q", accumulate(-(-sizes[i] // PIECE) for i in part))
        yield Part(part, array("q", (sizes[i] for i in part)), ends, room_for(len(part) * row, most))


def room_for(words: int, most: int) -> int:
    """Return the size of the smallest table that has room for some words; at most ``most``."""
    return min(next((size for size in (SMALL, MIDDLE) if words <= size), LARGE), most)


def filled(part: Part, addresses: array[int], length: int, rows: Sequence[int] | None) -> array[int]:
    """Return the table of a launch.

    Args:
        part: the launch.
        addresses: of all p of the list, of all g, and so on.
        length: of the list.
        rows: for each of the list the row of its coefficients; None if there is one row for all.
    """
    words = array("q")
    for start in range(0, len(addresses), length):
        words.extend(addresses[start + i] for i in part.indices)
    words += part.sizes
    words += part.ends
    if rows is not None:
        words.extend(rows[i] for i in part.indices)
    return padded(words, part.words)


def padded(words: array[int], to: int) -> array[int]:
    """Return words with zeros behind them: a launch reads as many words as its kernel has room for."""
    return words + array("q", bytes(8 * (to - len(words))))
