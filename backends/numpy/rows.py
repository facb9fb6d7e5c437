"""Rows of NumPy's arrays: gradients of which only some are given."""

from __future__ import annotations

import numpy as np

from adamcore.types import Array, DType


class NumPyRows:
    """See :class:`adamcore.protocol.RowFunctions`."""

    def reach(self, indices: Array) -> tuple[int, int] | None:
        return (int(indices.min()), int(indices.max())) if indices.size else None

    def sums(self, indices: Array, values: Array, count: int, dtype: DType) -> tuple[Array, Array]:
        rows, places = np.unique(indices, return_inverse=True)
        sums = np.zeros((len(rows), *values.shape[1:]), dtype)
        np.add.at(sums, places.reshape(-1), values.astype(dtype))
        return rows, sums

    def take(self, x: Array, rows: Array) -> Array:
        return x[rows]

    def put(self, x: Array, rows: Array, new: Array, donate: bool) -> Array:
        if not (donate and x.flags.writeable):
            x = x.copy()
        x[rows] = new
        return x

    def listed(self, rows: Array, like: Array) -> Array:
        found = np.zeros((like.shape[0], *(1,) * (like.ndim - 1)), np.bool_)
        found[rows] = True
        return found


ROWS = NumPyRows()
