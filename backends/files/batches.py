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

    buffer: int  #: bytes that each set of buffers may have
    set: int  #: bytes that it has, unless one chunk is larger
    slice: (
        int  #: elements, a multiple of WHOLE, that are stepped at a time where each operation makes an array
    )


def budget(ceiling: int, sets: int = SETS, threads: int = 1) -> Budget:
    """Return how a ceiling is divided: three quarters are buffers.

    Args:
        ceiling: the bytes.
        sets: how many sets of buffers there are.
        threads: how many pieces are stepped at one time.

    Raises:
        HyperparameterError: it is no whole number of at least :data:`LEAST` bytes for each thread.

    >>> budget(1 << 29).set == LARGEST
    True
    """
    least = LEAST * threads
    if type(ceiling) is not int or ceiling < least:
        raise HyperparameterError(
            f"ceiling={ceiling!r}: expected a whole number of bytes, at least {least} ({threads} MiB)"
        )
    buffer = ceiling * 3 // 4 // sets
    return Budget(
        buffer, min(buffer, LARGEST), min(ceiling // 4 // threads // SLICE_BYTES // WHOLE * WHOLE, 1 << 16)
    )


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


def batches(
    leaves: Sequence[Leaf], room: int, most: int | None = None, sets: int = SETS
) -> list[list[Piece]]:
    """Return all elements of the leaves as pieces, together those that fit into a buffer of ``room`` bytes.

    Args:
        leaves: the leaves.
        room: the bytes.
        most: the bytes that one chunk may take alone, if it is larger; None for ``room``.
        sets: how many sets of buffers there are.

    Raises:
        HyperparameterError: one chunk does not fit.

    >>> batches([Leaf(0, "a", (5,), 5, 16, 4, False), Leaf(1, "b", (2,), 2, 16, 4, False)], 400)
    [[Piece(leaf=0, start=0, stop=5)], [Piece(leaf=1, start=0, stop=2)]]
    """
    found: list[list[Piece]] = []
    left, most = 0, most or room
    for leaf in leaves:
        for start, stop in ranges(leaf, room):
            size = fitting(leaf, stop - start, most, sets)
            if size > left:
                found.append([])
                left = room
            found[-1].append(Piece(leaf.number, start, stop))
            left -= size
    return found


def pieces_within(leaf: Leaf, start: int, stop: int, share: Budget, sets: int) -> list[list[Piece]]:
    """Return a range of a leaf as pieces, each of which has a buffer alone; of a chunk of zarr's, one piece.

    Raises:
        HyperparameterError: a chunk does not fit.
    """
    if leaf.chunked:
        fitting(leaf, stop - start, share.buffer, sets)
        return [[Piece(leaf.number, start, stop)]]
    return [[Piece(leaf.number, *found)] for found in slices(start, stop, elements_of(leaf, share.set))]


def fitting(leaf: Leaf, elements: int, most: int, sets: int) -> int:
    """Return the bytes of so many elements.

    Raises:
        HyperparameterError: they are more than ``most``.
    """
    size = elements * leaf.width + leaf.arrays * LINE
    if size > most:
        raise HyperparameterError(
            f"a chunk of {leaf.name!r} takes {size} bytes of the {most} that a buffer has under this "
            f"ceiling: give a ceiling of {size * sets * 4 // 3 + sets} bytes or more"
        )
    return size


def ranges(leaf: Leaf, room: int) -> list[tuple[int, int]]:
    """Return the pieces of one leaf, each as large as a buffer or a chunk."""
    if leaf.chunked:
        return boxes(leaf.shape, CHUNK)
    return list(slices(0, leaf.size, elements_of(leaf, room)))


def elements_of(leaf: Leaf, room: int) -> int:
    """Return how many elements of a leaf fit into a buffer, of many a multiple of :data:`WHOLE`."""
    most = max(1, (room - leaf.arrays * LINE) // leaf.width)
    return most - most % WHOLE if most > WHOLE else most


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
