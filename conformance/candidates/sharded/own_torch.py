"""Our own backend of PyTorch on several processes: ``Adam.step`` on DTensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.base import laid_out
from adamcore.conformance.candidates.own import Torch
from adamcore.conformance.candidates.sharded.layouts import Cuts, Shape, assemble, cuts_of
from adamcore.conformance.candidates.sharded.torch import Group, local
from adamcore.conformance.candidates.torch.tensors import as_tensor, from_numpy, to_numpy
from adamcore.conformance.types import FloatArray


class TorchOnRanks(Torch):
    """PyTorch whose arrays are DTensors, except those without dimensions; each is read on every process.

    Args:
        device: the device of one process.
        group: the processes.
        resumed: True for the arrays of a run that is resumed, which are cut otherwise.
    """

    def __init__(self, device: str, group: Group, *, resumed: bool = False) -> None:
        super().__init__(device)
        self.plain, self.group, self.is_resumed = device, group, resumed
        self.device = group.named(self.device)

    def elsewhere(self) -> TorchOnRanks:
        return TorchOnRanks(self.plain, self.group, resumed=True)

    def cuts(self, shape: Shape) -> Cuts:
        return cuts_of(self.group.layout, shape, resumed=self.is_resumed)

    def part(self, value: FloatArray) -> FloatArray:
        """Return what this process has of an array."""
        return value[self.group.here(value.shape, self.cuts(value.shape))]

    def array(self, value: FloatArray) -> Any:
        if not value.ndim or not self.group.has_shards:
            return super().array(value)
        part = self.part(value)
        here = as_tensor(laid_out(part, "C") if value.flags.c_contiguous else part, self.where)
        return self.group.distributed(here, value.shape, self.cuts(value.shape))

    def refill(self, array: Any, value: FloatArray) -> None:
        local(array).copy_(from_numpy(np.array(self.part(value))))

    def numpy(self, array: Any) -> FloatArray:
        return self.numpy_each([array])[0]

    def numpy_each(self, arrays: Sequence[Any]) -> list[FloatArray]:
        """Return the values of many arrays, which the ranks send to each other at once."""
        import torch.distributed as dist

        every: list[Any] = [None] * self.group.ranks
        dist.all_gather_object(every, [to_numpy(local(array)) for array in arrays])
        whole = (None,) * len(self.group.shape)
        found = []
        for array, *parts in zip(arrays, *every, strict=True):
            shape = tuple(array.shape)
            cuts = self.cuts(shape) if hasattr(array, "device_mesh") else whole
            found.append(assemble(parts, shape, cuts, self.group.shape))
        return found
