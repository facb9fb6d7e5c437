"""The bits of PyTorch's float32 tensors: see :class:`adamcore.storage.bits.Words`."""

from __future__ import annotations

import math
from typing import Any

import torch

from adamcore.backends.torch import shards
from adamcore.storage.bits import MASK
from adamcore.types import Array, Scalar


class TorchWords:
    """Words are int64: PyTorch has few operations on uint32."""

    def words(self, x: Array) -> Array:
        return x.view(torch.int32).to(torch.int64) & MASK

    def floats(self, w: Array) -> Array:
        return ((w ^ 0x80000000) - 0x80000000).to(torch.int32).view(torch.float32)

    def signed(self, w: Array) -> Array:
        return w

    def unsigned(self, x: Array) -> Array:
        return x.to(torch.int64) & MASK

    def word(self, value: Scalar) -> Scalar:
        return value

    def right(self, w: Array, count: Any) -> Array:
        return torch.bitwise_right_shift(w, count)  # the operator >> does nothing to a DTensor (findings)

    def where(self, condition: Array, new: Array, old: Any) -> Array:
        return torch.where(condition, new, old)

    def index(self, like: Array) -> Array:
        """Return the numbers of the elements of the whole tensor, of which a DTensor has a shard here."""
        if not shards.is_sharded(like):
            return torch.arange(math.prod(like.shape), device=like.device).reshape(like.shape) & MASK
        return shards.whole(like, shards.element_numbers(like))


WORDS = TorchWords()
