"""How a list of arrays is laid out for the kernel of :mod:`.cuda`: which launch takes
which of them, and the words of its table.

For n arrays in a launch of a program with A arrays, word ``k*n + i`` is the address of array k of the
i-th; ``A*n + i`` its number of elements; ``(A+1)*n + i`` how many pieces there are up to and with it; and
``(A+2)*n + i`` the row of its coefficients.  A block of threads steps one piece, so all have the same
work but for the last piece of an array.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from adamcore.backends.kernels.cuda import PIECE

SMALL = 440  #: words of a table that every GPU takes: the arguments of a launch have 4096 bytes
LARGE = 4000  #: since CUDA 12.1 they have 32764
BESIDE = 3  #: words of an array beside its addresses


class Part(NamedTuple):
    """The arrays of one launch."""

    places: Sequence[int]  #: in the list
    sizes: array[int]
    ends: array[int]  #: pieces up to and with each
    words: int  #: of its table

    @property
    def blocks(self) -> int:
        return self.ends[-1]


def parts(places: Sequence[int], sizes: Sequence[int], arrays: int, most: int) -> Iterator[Part]:
    """The launches for those ``places`` of a list; ``most`` is what a table can have.

    >>> [(list(part.places), part.blocks) for part in parts([0, 2], [5000, 7, 4096], 4, SMALL)]
    [([0, 2], 3)]
    """
    each = arrays + BESIDE
    places = [i for i in places if sizes[i]]  # an empty array has no piece
    room = most // each
    for at in range(0, len(places), room):
        some = places[at : at + room]
        ends = array("q", accumulate(-(-sizes[i] // PIECE) for i in some))
        words = SMALL if len(some) * each <= SMALL else most
        yield Part(some, array("q", (sizes[i] for i in some)), ends, words)


def filled(part: Part, addresses: array[int], length: int, rows: Sequence[int] | None) -> array[int]:
    """The table of a launch, whole; ``addresses`` has those of all p of the list, then all g, ...

    Args:
        part: the launch.
        addresses: for each array of the program, ``length`` of them.
        length: the length of the list.
        rows: for each of the list the row of its coefficients; None if there is one row for all.
    """
    words = array("q")
    for start in range(0, len(addresses), length):
        words.extend(addresses[start + i] for i in part.places)
    words += part.sizes
    words += part.ends
    if rows is not None:
        words.extend(rows[i] for i in part.places)
    return padded(words, part.words)


def padded(words: array[int], to: int) -> array[int]:
    """With zeros behind it: a launch reads as many words as its kernel has room for."""
    return words + array("q", bytes(8 * (to - len(words))))
