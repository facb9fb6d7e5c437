"""The pieces of arrays that are in memory at one time, under a ceiling of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from adamcore.backends.files.arrays import boxes
from adamcore.backends.files.formats import CHUNK
from adamcore.errors import HyperparameterError
from adamcore.types import Array, DType

LEAST = 1 << 20  #: bytes, the lowest ceiling
SETS = 3  #: of buffers: one is read, one is stepped, one is written
LARGEST = 1 << 24  #: bytes of a set; a larger one is no faster
LINE = 64  #: bytes to which each piece is aligned in memory
WHOLE = 256  #: elements to which pieces are aligned in their array: whole blocks of moments in 8 bits
SLICE_BYTES = 128  #: of intermediate values, for each element that the definition steps without machine code


class Budget(NamedTuple):
    """How a ceiling is divided."""

    buffer: int  #: bytes that each of the :data:`SETS` sets of buffers may have
    set: int  #: bytes that it has, unless one chunk is larger
    slice: (
        int  #: elements, a multiple of WHOLE, that are stepped at a time where each operation makes an array
    )


def budget(ceiling: int) -> Budget:
    """Return how a ceiling is divided: three quarters are buffers.

    Raises:
        HyperparameterError: it is no whole number of at least :data:`LEAST` bytes.

    >>> budget(1 << 29).set == LARGEST
    True
    """
    if type(ceiling) is not int or ceiling < LEAST:
        raise HyperparameterError(
            f"ceiling={ceiling!r}: expected a whole number of bytes, at least {LEAST} (1 MiB)"
        )
    buffer = ceiling * 3 // 4 // SETS
    return Budget(buffer, min(buffer, LARGEST), min(ceiling // 4 // SLICE_BYTES // WHOLE * WHOLE, 1 << 16))


class Leaf(NamedTuple):
    """What is known of a leaf when its pieces are laid out."""

    number: int
    name: str
    shape: tuple[int, ...]
    size: int
    width: int  #: bytes in memory of one element of everything that is read
    arrays: int  #: how many arrays that is
    chunked: bool  #: True if an array is zarr's, of which a piece is one chunk


class Piece(NamedTuple):
    """A range of the elements of a leaf."""

    leaf: int
    start: int
    stop: int


def batches(leaves: Sequence[Leaf], room: int, most: int | None = None) -> list[list[Piece]]:
    """Return all elements of the leaves as pieces, together those that fit into a buffer of ``room`` bytes.

    Args:
        leaves: the leaves.
        room: the bytes.
        most: the bytes that one chunk may take alone, if it is larger; None for ``room``.

    Raises:
        HyperparameterError: one chunk does not fit.

    >>> batches([Leaf(0, "a", (5,), 5, 16, 4, False), Leaf(1, "b", (2,), 2, 16, 4, False)], 400)
    [[Piece(leaf=0, start=0, stop=5)], [Piece(leaf=1, start=0, stop=2)]]
    """
    found: list[list[Piece]] = []
    left, most = 0, most or room
    for leaf in leaves:
        for start, stop in ranges(leaf, room):
            size = (stop - start) * leaf.width + leaf.arrays * LINE
            if size > most:
                raise HyperparameterError(
                    f"a chunk of {leaf.name!r} takes {size} bytes of the {most} that a buffer has under this "
                    f"ceiling: give a ceiling of {size * SETS * 4 // 3 + SETS} bytes or more"
                )
            if size > left:
                found.append([])
                left = room
            found[-1].append(Piece(leaf.number, start, stop))
            left -= size
    return found


def ranges(leaf: Leaf, room: int) -> list[tuple[int, int]]:
    """Return the pieces of one leaf, each as large as a buffer or a chunk."""
    if leaf.chunked:
        return boxes(leaf.shape, CHUNK)
    most = max(1, (room - leaf.arrays * LINE) // leaf.width)
    most -= most % WHOLE if most > WHOLE else 0
    return [(start, min(start + most, leaf.size)) for start in range(0, leaf.size, most)]


class Buffer:
    """A buffer, from which vectors are taken one after the other."""

    def __init__(self, size: int) -> None:
        raw = np.empty(size + LINE, np.uint8)
        first = -raw.__array_interface__["data"][0] % LINE
        self.memory, self.used = raw[first : first + size], 0

    def clear(self) -> None:
        """Give all vectors back."""
        self.used = 0

    def take(self, dtype: DType, count: int) -> Array:
        """Return a vector, whose values are not set."""
        stop = self.used + count * dtype.itemsize
        vector = self.memory[self.used : stop].view(dtype)
        self.used = stop + -stop % LINE
        return vector


def slices(start: int, stop: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield a range as ranges of at most so many elements.

    >>> list(slices(3, 8, 2))
    [(3, 5), (5, 7), (7, 8)]
    """
    return ((at, min(at + most, stop)) for at in range(start, stop, most))
