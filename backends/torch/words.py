"""The bits of PyTorch's float32 tensors: see :class:`adamcore.storage.bits.Words`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from adamcore.backends.torch import root, shards
from adamcore.backends.words import CommonWords
from adamcore.errors import BackendError
from adamcore.storage.bits import MASK
from adamcore.types import Array, DType, Scalar


class TorchWords(CommonWords):
    """Words are int64: PyTorch has few operations on uint32."""

    def words(self, x: Array) -> Array:
        return x.view(torch.int32).to(torch.int64) & MASK

    def floats(self, w: Array) -> Array:
        return ((w ^ 0x80000000) - 0x80000000).to(torch.int32).view(torch.float32)

    def signed(self, w: Array) -> Array:
        return w

    def unsigned(self, x: Array) -> Array:
        return x.to(torch.int64) & MASK

    def number(self, x: Array) -> Array:
        return x.to(torch.float32)

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

    def root(self, x: Array) -> Array:
        return root.sqrt(x)

    def blocks(self, x: Array, size: int) -> Array:
        if shards.is_sharded(x):  # as torch.compile traces it; else a step has parts, which are no DTensors
            raise BackendError(
                "moments in 8 bits of a DTensor inside torch.compile: expected m_storage='plain' and "
                "v_storage='plain', or a step outside of the compiled program"
            )
        flat = x.reshape(-1)
        filled = torch.nn.functional.pad(flat, (0, -flat.numel() % size))
        return filled.reshape(-(-flat.numel() // size), size)

    def most(self, rows: Array) -> Array:
        return rows.amax(1, keepdim=True)

    def places(self, borders: Sequence[float], x: Array) -> Array:
        return torch.searchsorted(torch.tensor(borders, device=x.device), x.contiguous(), right=True)

    def entries(self, table: Sequence[float], places: Array) -> Array:
        return torch.tensor(table, device=places.device)[places.to(torch.int64)]

    def zero_scales(self, like: Array, size: int, dtype: DType) -> Array:
        count = -(-math.prod(like.shape) // size)
        if shards.is_sharded(like):
            shards.check_blocks(like, size)
        here = torch.zeros(shards.count_here(like, count), dtype=dtype, device=like.device)
        return shards.shard_beside(like, here, (count,))


WORDS = TorchWords()
