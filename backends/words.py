"""What :class:`adamcore.storage.bits.Words` asks for that is the same for every library of arrays."""

from __future__ import annotations

import math
from typing import Any

from adamcore.types import Array


class CommonWords:
    """Blocks as rows, which need shapes alone, and what follows from other operations."""

    def where(self, condition: Array, new: Array, old: Any) -> Array:
        raise NotImplementedError

    def signed(self, w: Array) -> Array:
        raise NotImplementedError

    def byte(self, w: Array, signed: bool) -> Array:
        low = self.signed(w & 0xFF)
        return (low ^ 0x80) - 0x80 if signed else low

    def usual(self, condition: Array, new: Array, old: Any) -> Array:
        return self.where(condition, new, old)

    def unblocked(self, rows: Array, like: Array) -> Array:
        return rows.reshape(-1)[: math.prod(like.shape)].reshape(like.shape)

    def each_block(self, column: Array, like: Array) -> Array:
        return column[:, 0]

    def column(self, vector: Array) -> Array:
        return vector[:, None]
