"""Arrays that are read and written in ranges: files, memory, and what stands for an array of zeros.

A range counts elements in C order.  The memory of whoever asks is filled, so that the reader decides how much
of it there is.  :class:`FileArray` reads and writes instead of mapping the file: mapped pages count as the
process' own memory, and a failing disk would end the process with a signal instead of an error.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from adamcore.errors import CheckpointError
from adamcore.types import Array, DType

Identity = list[Any]  #: of an array's content: equal if the content is surely the same


class Readable(Protocol):
    """An array of which ranges can be read."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> DType: ...
    @property
    def identity(self) -> Identity | None:
        """What tells this content from any other; None if nothing does."""

    def read(self, start: int, stop: int, into: Array) -> None:
        """Fill ``into``, a contiguous vector of the array's dtype, with a range of elements."""


class Writable(Readable, Protocol):
    """An array of which ranges can be written."""

    def write(self, start: int, stop: int, values: Array) -> None:
        """Set a range of elements to the values of a contiguous vector of the array's dtype."""

    def mapped(self) -> Array:
        """Return the array in its shape, read-only; its elements are read when they are looked at."""


@dataclass(frozen=True)
class FileArray:
    """An array whose bytes lie one after the other in a file, in C order and in this machine's byte order."""

    path: Path
    offset: int  #: of the first byte
    dtype: DType
    shape: tuple[int, ...]

    @property
    def identity(self) -> Identity | None:
        found = os.stat(self.path)
        return [str(self.path.resolve()), found.st_size, found.st_mtime_ns, found.st_ino, self.offset]

    def read(self, start: int, stop: int, into: Array) -> None:
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.offset + start * self.dtype.itemsize)
            view = bytes_of(into)
            while view:
                count = file.readinto(view)
                if not count:
                    raise CheckpointError(
                        f"{self.path} is cut: it ends inside an array of shape {self.shape}"
                    )
                view = view[count:]

    def write(self, start: int, stop: int, values: Array) -> None:
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(self.offset + start * self.dtype.itemsize)
            view = bytes_of(values)
            while view:
                view = view[file.write(view) :]

    def mapped(self) -> Array:
        if not math.prod(self.shape):  # no file can be mapped in which nothing lies
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


@dataclass(frozen=True, eq=False)
class Wrapped:
    """An array of another library, of which no file is known."""

    x: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape)

    @property
    def dtype(self) -> DType:
        return self.x.dtype

    @property
    def identity(self) -> Identity | None:
        return None


@dataclass(frozen=True, eq=False)
class MemoryArray(Wrapped):
    """An array in memory, or one that somebody else has mapped."""

    def read(self, start: int, stop: int, into: Array) -> None:
        flat = self.x.reshape(-1) if self.x.flags.c_contiguous else self.x.flat
        into[:] = flat[start:stop]


@dataclass(frozen=True, eq=False)
class LazyArray(Wrapped):
    """An array of Dask's: its chunks are computed where they are stepped, and ranges are never read of it."""

    def read(self, start: int, stop: int, into: Array) -> None:
        raise NotImplementedError  # adamcore.backends.files.on_dask hands its chunks on


@dataclass(frozen=True, eq=False)
class Chunk(Wrapped):
    """A part of an array in memory, whose first element has the number ``first``."""

    first: int

    def part(self, start: int, stop: int) -> Array:
        """Return a range of elements as a vector, which is a view where it can be."""
        part = self.x.reshape(-1)[start - self.first : stop - self.first]
        return np.require(part, requirements=["C_CONTIGUOUS", "ALIGNED", "ENSUREARRAY"])

    def read(self, start: int, stop: int, into: Array) -> None:
        into[:] = self.part(start, stop)


@dataclass(frozen=True, eq=False)
class Zeros:
    """An array of zeros, which takes no memory."""

    shape: tuple[int, ...]
    dtype: DType

    @property
    def identity(self) -> Identity | None:
        return ["zeros"]

    def read(self, start: int, stop: int, into: Array) -> None:
        into[:] = 0


@dataclass(frozen=True, eq=False)
class Cast:
    """An array read in another dtype."""

    x: Readable
    dtype: DType

    @property
    def shape(self) -> tuple[int, ...]:
        return self.x.shape

    @property
    def identity(self) -> Identity | None:
        return None

    def read(self, start: int, stop: int, into: Array) -> None:
        values = np.empty(stop - start, self.x.dtype)
        self.x.read(start, stop, values)
        into[:] = values


@dataclass(frozen=True, eq=False)
class ZarrArray(Wrapped):
    """An array of zarr's; ranges must be boxes, as :func:`box` has them."""

    def read(self, start: int, stop: int, into: Array) -> None:
        into[:] = np.asarray(self.x[box(self.shape, start, stop)]).reshape(-1)

    def write(self, start: int, stop: int, values: Array) -> None:
        where = box(self.shape, start, stop)
        self.x[where] = values.reshape(extents(self.shape, where))

    def mapped(self) -> Array:
        return self.x


SOURCES = (FileArray, MemoryArray, LazyArray, Zeros, Cast, ZarrArray)


def bytes_of(x: Array) -> memoryview:
    """Return the memory of a contiguous vector."""
    return memoryview(x.view(np.uint8))


def readable(x: object) -> Readable | None:
    """Return a user's array as one that is read in ranges; None if it is no array.

    An array of :class:`numpy.memmap` is read from its file.

    >>> readable(np.ones((2, 3))).shape
    (2, 3)
    """
    if isinstance(x, SOURCES):
        return x
    if isinstance(x, np.memmap) and x.flags.c_contiguous and x.dtype.isnative and x.filename is not None:
        found = file_range(x)
        if found is not None:
            return found
    if isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray):
        return MemoryArray(x)
    library = type(x).__module__.partition(".")[0]
    if library == "zarr" and hasattr(x, "chunks"):
        return ZarrArray(x)
    if library == "dask" and hasattr(x, "to_delayed") and hasattr(x, "chunks"):
        return LazyArray(x)
    return None


def as_shape(x: Readable, shape: tuple[int, ...]) -> Readable:
    """Return an array as one that is broadcast to this shape; a smaller one is read into memory.

    >>> as_shape(MemoryArray(np.ones((2, 1))), (2, 3)).shape
    (2, 3)
    """
    if x.shape == shape:
        return x
    values = np.empty(math.prod(x.shape), x.dtype)
    if values.size:
        x.read(0, values.size, values)
    return MemoryArray(np.broadcast_to(values.reshape(x.shape), shape))


def file_range(x: np.memmap[Any, Any]) -> FileArray | None:
    """Return where in its file a contiguous map lies; None if it is changed in memory alone."""
    root: Any = x
    while isinstance(root.base, np.memmap):
        root = root.base
    if x.mode == "c":
        return None
    first = x.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return FileArray(Path(str(x.filename)), root.offset + first, x.dtype, x.shape)


def box(shape: Sequence[int], start: int, stop: int) -> tuple[slice, ...]:
    """Return the range of elements as slices of the axes.

    >>> box((4, 5, 6), 30, 90)
    (slice(1, 3, None), slice(0, 5, None), slice(0, 6, None))
    >>> box((4, 5, 6), 42, 48)
    (slice(1, 2, None), slice(2, 3, None), slice(0, 6, None))
    """
    found: list[slice] = []
    below = math.prod(shape)
    for n in shape:
        below //= n
        first, last = start // below, (stop - 1) // below
        found.append(slice(first, last + 1))
        if last > first:
            found += [slice(0, k) for k in shape[len(found) :]]
            break
        start, stop = start - first * below, stop - first * below
    return tuple(found)


def extents(shape: Sequence[int], where: Sequence[slice]) -> list[int]:
    """Return how many elements slices of the axes have in each."""
    return [len(range(*s.indices(n))) for s, n in zip(where, shape, strict=True)]


def range_of(shape: Sequence[int], index: Any) -> tuple[int, int] | None:
    """Return the range of elements that an index stands for, as :func:`box` has them; None if it is none.

    >>> range_of((4, 5, 6), box((4, 5, 6), 30, 90)), range_of((4, 5), (slice(0, 2), slice(0, 3)))
    ((30, 90), None)
    """
    if not isinstance(index, tuple) or len(index) != len(shape):
        return None
    if not all(isinstance(s, slice) and s.step in (None, 1) for s in index):
        return None
    where = tuple(slice(*s.indices(n)[:2]) for s, n in zip(index, shape, strict=True))
    start = sum(s.start * math.prod(shape[k + 1 :]) for k, s in enumerate(where))
    stop = start + math.prod(extents(shape, where))
    return (start, stop) if stop > start and box(shape, start, stop) == where else None


def boxes(shape: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Return ranges of at most so many elements that are boxes, and together the whole array.

    >>> boxes((2, 5), 2)
    [(0, 2), (2, 4), (4, 5), (5, 7), (7, 9), (9, 10)]
    >>> boxes((4, 5), 12)
    [(0, 10), (10, 20)]
    """
    total, run, step = math.prod(shape), 1, 1
    if not total:
        return []
    for n in reversed(shape):  # `run` elements are whole axes
        step = run * max(1, min(n, most // run))
        if run * n > most:
            run *= n
            break
        run *= n
    return [
        (start, min(start + step, outer + run))
        for outer in range(0, total, run)
        for start in range(outer, outer + run, step)
    ]
