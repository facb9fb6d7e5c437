"""The bits of NumPy's float32 arrays: see :class:`adamcore.storage.bits.Words`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adamcore.types import Array, Scalar


class NumPyWords:
    """Words are uint32, which wraps."""

    def words(self, x: Array) -> Array:
        return np.asarray(x, np.float32).view(np.uint32)

    def floats(self, w: Array) -> Array:
        return np.asarray(w, np.uint32).view(np.float32)

    def signed(self, w: Array) -> Array:
        return np.asarray(w, np.int32)

    def unsigned(self, x: Array) -> Array:
        return np.asarray(x).astype(np.int64).astype(np.uint32)

    def word(self, value: Scalar) -> Scalar:
        return value

    def right(self, w: Array, count: Any) -> Array:
        return np.asarray(w >> count)

    def where(self, condition: Array, new: Array, old: Any) -> Array:
        return np.asarray(np.where(condition, new, old))

    def index(self, like: Array) -> Array:
        return np.arange(math.prod(like.shape)).astype(np.uint32).reshape(like.shape)


WORDS = NumPyWords()
