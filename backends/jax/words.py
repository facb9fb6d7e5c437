"""The bits of JAX's float32 arrays: see :class:`adamcore.storage.bits.Words`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adamcore.backends.words import CommonWords
from adamcore.storage.bits import MASK
from adamcore.types import Array, DType, Scalar


class JaxWords(CommonWords):
    """Words are uint32, which wraps."""

    def words(self, x: Array) -> Array:
        return jax.lax.bitcast_convert_type(x, jnp.uint32)

    def floats(self, w: Array) -> Array:
        return jax.lax.bitcast_convert_type(w, jnp.float32)

    def signed(self, w: Array) -> Array:
        return w.astype(jnp.int32)

    def unsigned(self, x: Array) -> Array:
        return jax.lax.bitcast_convert_type(x.astype(jnp.int32), jnp.uint32)

    def number(self, x: Array) -> Array:
        return x.astype(jnp.float32)

    def word(self, value: Scalar) -> Scalar:
        return np.uint32(value) if isinstance(value, int) else value

    def right(self, w: Array, count: Any) -> Array:
        return w >> count

    def where(self, condition: Array, new: Array, old: Any) -> Array:
        return jnp.where(condition, new, old)

    def index(self, like: Array) -> Array:
        """Return the numbers of the elements of the whole array, which a mesh may hold in shards."""
        found = jnp.zeros(like.shape, jnp.uint32)
        for axis in range(len(like.shape)):
            stride = np.uint32(math.prod(like.shape[axis + 1 :]) & MASK)
            found += jax.lax.broadcasted_iota(jnp.uint32, like.shape, axis) * stride
        return found

    def root(self, x: Array) -> Array:
        return jnp.sqrt(x)

    def blocks(self, x: Array, size: int) -> Array:
        flat = x.reshape(-1)
        return jnp.pad(flat, (0, -flat.size % size)).reshape(-(-flat.size // size), size)

    def most(self, rows: Array) -> Array:
        return jnp.max(rows, axis=1, keepdims=True)

    def places(self, borders: Sequence[float], x: Array) -> Array:
        return jnp.searchsorted(jnp.asarray(borders, jnp.float32), x, side="right")

    def entries(self, table: Sequence[float], places: Array) -> Array:
        return jnp.asarray(table, jnp.float32)[places]

    def zero_scales(self, like: Array, size: int, dtype: DType) -> Array:
        return jnp.zeros(-(-math.prod(like.shape) // size), dtype)


WORDS = JaxWords()
