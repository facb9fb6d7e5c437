"""Blocks as rows: what :class:`adamcore.storage.bits.Words` asks for that needs shapes alone."""

from __future__ import annotations

import math

from adamcore.types import Array


class BlockRows:
    """Operations that need nothing but shapes."""

    def unblocked(self, rows: Array, like: Array) -> Array:
        return rows.reshape(-1)[: math.prod(like.shape)].reshape(like.shape)

    def each_block(self, column: Array, like: Array) -> Array:
        return column[:, 0]

    def column(self, vector: Array) -> Array:
        return vector[:, None]
