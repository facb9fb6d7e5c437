"""Rows of JAX's arrays: gradients of which only some are given.

Shapes are known before values.  So as many rows are listed as there are indices, and those that are over
have a number beyond the last row: such a row is 0 where it is taken, and is put nowhere.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from adamcore.step.rows import Rows
from adamcore.types import Array, DType


class JaxRows:
    """See :class:`adamcore.protocol.RowFunctions`."""

    def reach(self, indices: Array) -> tuple[int, int] | None:
        if not indices.size or isinstance(indices, jax.core.Tracer) or not indices.is_fully_addressable:
            return None
        known = np.asarray(indices)
        return int(known.min()), int(known.max())

    def sums(self, indices: Array, values: Array, count: int, dtype: DType) -> tuple[Array, Array]:
        indices = indices.astype(jnp.int32)
        size = indices.shape[0]
        if not size:
            return indices, values.astype(dtype)
        inside = (indices >= 0) & (indices < count)
        indices = jnp.where(inside, indices, count)
        rows, places = jnp.unique(indices, return_inverse=True, size=size, fill_value=count)
        values = jnp.where(inside.reshape(size, *(1,) * (values.ndim - 1)), values.astype(dtype), 0)
        return rows, jnp.zeros(values.shape, dtype).at[places.reshape(-1)].add(values)

    def take(self, x: Array, rows: Array) -> Array:
        return x.at[rows].get(mode="fill", fill_value=0)

    def put(self, x: Array, rows: Array, new: Array, donate: bool) -> Array:
        return x.at[rows].set(new.astype(x.dtype), mode="drop")

    def listed(self, rows: Array, like: Array) -> Array:
        found = jnp.zeros((like.shape[0], *(1,) * (like.ndim - 1)), bool)
        return found.at[rows].set(True, mode="drop")


ROWS = JaxRows()

# an argument of a compiled program; a tree of gradients is taken apart no further (is_leaf in backend.py)
jax.tree_util.register_pytree_node(
    Rows, lambda g: ((g.indices, g.values), g.others), lambda others, parts: Rows(*parts, others)
)
