"""The backend of NumPy."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from typing import Any

import numpy as np

from adamcore.backends.arrays import dtype_name
from adamcore.backends.base import BaseBackend, FastPath
from adamcore.backends.kernels import norms
from adamcore.backends.kernels.norms import SAFE
from adamcore.backends.numpy import fast
from adamcore.backends.numpy.rows import ROWS
from adamcore.backends.numpy.uniform import same_shape, uniform_addresses
from adamcore.backends.numpy.words import WORDS
from adamcore.backends.overlap import first_overlap
from adamcore.jobs import Columns
from adamcore.protocol import Kind, RowFunctions
from adamcore.storage.bits import TableWords
from adamcore.types import Array, Scalar

ARRAYS = (np.ndarray, np.generic)
INFO = [np.finfo(name) for name in ("float16", "float32", "float64")]
BITS = {info.dtype: int(info.bits) for info in INFO}  #: what a small step has no time to ask again
LEAST = {info.dtype: float(info.smallest_subnormal) for info in INFO}


BLOCK = 1 << 16  #: numbers whose squares are added up at once


def norm_in_blocks(g: Array) -> float:
    """Return the Euclidean norm of an array of any floating dtype, summed in float64; it may overflow."""
    return math.sqrt(squares_in_blocks(np.ravel(g, order="K")))


def counted(g: Array, where: Array) -> Array:
    """Return a gradient with zeros in place of the elements that do not count."""
    return np.asarray(np.where(where, g, np.zeros((), g.dtype)))


def squares_in_blocks(flat: Array, total: float = 0.0) -> float:
    """Return ``total`` and the squares of a vector's numbers, added up block by block."""
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    for start in range(0, flat.size, BLOCK):
        part = flat[start : start + BLOCK].astype(np.float64)
        total += float(part @ part)
    return total


class NumPyBackend(BaseBackend):
    """NumPy: a 0-d result stays an array, and NaN, infinity and underflow cause no warning."""

    name = "numpy"
    sorts_keys: bool | None = True
    fast: FastPath | None = fast

    def owns(self, leaf: object) -> bool:
        return isinstance(leaf, ARRAYS)

    def refuse(self, leaf: Array) -> str | None:
        if isinstance(leaf, np.ma.MaskedArray):
            return "a masked array; give its .data, and its mask as `present`"
        return None

    def namespace(self, like: Array) -> Any:
        return np

    def overlap(self, columns: Columns) -> tuple[int, int] | None:
        arrays = [x for column in columns for x in column]
        if len({*map(id, arrays)}) == len(arrays) and all(x.base is None for x in arrays):
            return None  # each array owns its memory
        return first_overlap(columns, np.lib.array_utils.byte_bounds, np.shares_memory)

    def uniform(self, columns: Columns) -> bool:
        return uniform_addresses([column for column in columns if column]) is not None

    def device(self, leaf: Array) -> Any:
        return None

    def host(self, x: Array) -> Any:
        return x.item()

    def integers(self, xs: Sequence[Array]) -> list[int] | None:
        if not same_shape(xs, ()):
            return super().integers(xs)
        return list(map(np.ndarray.item, xs)) if xs[0].dtype.kind == "i" else None

    def full(self, value: float, dtype: Any, like: Array) -> Array:
        return np.asarray(value, dtype=dtype)

    def full_each(self, values: Sequence[float], dtype: Any, like: Array) -> list[Array]:
        vector = np.array(values, dtype)
        return list(map(vector.__getitem__, zip(range(len(values)), repeat(...), strict=False)))

    def zeros(self, like: Array, dtype: Any) -> Array:
        return np.zeros_like(like, dtype=dtype, subok=False)

    def where(self, condition: Array, new: Array, old: Array) -> Array:
        return np.asarray(np.where(condition, new, old))

    def cast(self, x: Array, dtype: Any) -> Array:
        return np.asarray(x, dtype=dtype)

    def norms(self, gs: Sequence[Array], wheres: Sequence[Array | None]) -> Sequence[Scalar]:
        """Return the norm of each gradient, summed in float64 block by block; one under a mask is copied."""
        gs = [g if where is None else counted(g, where) for g, where in zip(gs, wheres, strict=True)]
        quick = norms.norms(fast.MEMORY, gs)
        return [self.norm_of_one(g) if n is None else n for n, g in zip(quick, gs, strict=True)]

    def norm_of_one(self, g: Array) -> float:
        """Return the norm of a gradient without machine code."""
        quick = norm_in_blocks(g)
        return quick if SAFE[0] < quick < SAFE[1] else float(self.norm(g, None).item())

    def overwrite(self, old: Array, new: Array) -> Array:
        if not (isinstance(old, np.ndarray) and old.flags.writeable):
            return new
        np.copyto(old, new)
        return old

    def kind(self, dtype: Any) -> Kind:
        if dtype.kind in "fc":
            return "real" if dtype.kind == "f" else "complex"
        return "real" if dtype.kind == "V" and "float" in dtype.name else "other"  # ml_dtypes

    def integer(self, dtype: Any) -> bool:
        return dtype.kind in "iu" or (dtype.kind == "V" and super().integer(dtype))  # ml_dtypes' have names

    def bits(self, dtype: Any) -> int:
        return BITS.get(dtype) or super().bits(dtype)

    def least(self, dtype: Any) -> float:
        return LEAST.get(dtype) or super().least(dtype)

    def finfo(self, dtype: Any) -> Any:
        if np.dtype(dtype).type.__module__ != "numpy":  # float8_e5m2 is of the kind "f"
            return sys.modules["ml_dtypes"].finfo(dtype)  # it made the dtype, so it is there
        return np.finfo(dtype)

    def dtype_named(self, name: str, like: Array) -> Any:
        try:
            return np.dtype(name)
        except TypeError as error:
            raise LookupError(f"NumPy has no dtype {name!r}") from error

    def bits_of_floats(self) -> TableWords | None:
        return WORDS

    def rows(self) -> RowFunctions | None:
        return ROWS

    def part_of(self, dtype: Any, like: Array) -> Any:
        return np.finfo(dtype).dtype

    def complex_of(self, dtype: Any, like: Array) -> Any:
        if dtype.kind != "f" or dtype == np.float16:
            raise LookupError(f"NumPy has no complex dtype of {dtype_name(dtype)} parts")
        return np.result_type(dtype, np.complex64)

    def join(self, re: Array, im: Array, dtype: Any) -> Array:
        whole = np.empty_like(re, dtype=dtype)
        whole.real, whole.imag = re, im
        return whole

    def scope(self) -> AbstractContextManager[Any]:
        return np.errstate(all="ignore")


backend = NumPyBackend()
