"""The bits of NumPy's float32 arrays: see :class:`adamcore.storage.bits.Words`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adamcore.backends.words import CommonWords
from adamcore.types import Array, DType, Scalar


class NumPyWords(CommonWords):
    """Words are uint32, which wraps."""

    def words(self, x: Array) -> Array:
        return np.asarray(x, np.float32).view(np.uint32)

    def floats(self, w: Array) -> Array:
        return np.asarray(w, np.uint32).view(np.float32)

    def signed(self, w: Array) -> Array:
        return np.asarray(w, np.int32)

    def unsigned(self, x: Array) -> Array:
        return np.asarray(x).astype(np.int64).astype(np.uint32)

    def number(self, x: Array) -> Array:
        return np.asarray(x).astype(np.float32)

    def word(self, value: Scalar) -> Scalar:
        return value

    def right(self, w: Array, count: Any) -> Array:
        return np.asarray(w >> count)

    def where(self, condition: Array, new: Array, old: Any) -> Array:
        return np.asarray(np.where(condition, new, old))

    def index(self, like: Array) -> Array:
        return np.arange(math.prod(like.shape)).astype(np.uint32).reshape(like.shape)

    def root(self, x: Array) -> Array:
        return np.asarray(np.sqrt(x))

    def blocks(self, x: Array, size: int) -> Array:
        flat = np.asarray(x).reshape(-1)
        return np.pad(flat, (0, -flat.size % size)).reshape(-(-flat.size // size), size)

    def most(self, rows: Array) -> Array:
        return np.max(rows, axis=1, keepdims=True)

    def places(self, borders: Sequence[float], x: Array) -> Array:
        return np.searchsorted(np.asarray(borders, np.float32), x, side="right")

    def entries(self, table: Sequence[float], places: Array) -> Array:
        return np.asarray(table, np.float32)[places]

    def zero_scales(self, like: Array, size: int, dtype: DType) -> Array:
        return np.zeros(-(-math.prod(like.shape) // size), dtype)


WORDS = NumPyWords()
