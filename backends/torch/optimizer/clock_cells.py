"""The clocks of a group in the memory of the host: where they stand, read and ticked together."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from ctypes import c_int32
from operator import attrgetter
from typing import Any

import torch

from adamcore.backends.kernels.objects import FEW, function
from adamcore.backends.torch import watch

VALUE: Any = attrgetter("value")


class Clocks:
    """Clocks, int32 tensors of one element on the CPU, which are at different places.

    Their memory can be read as long as this lives, also after a clock was given other memory.

    Args:
        clocks: the tensors.
        watched: True if somebody else sees to it that they are where they were.
    """

    def __init__(self, clocks: Sequence[torch.Tensor], watched: bool = False) -> None:
        self.clocks, self.count, self.watched = clocks, len(clocks), watched
        self.memory = list(map(torch.Tensor.untyped_storage, clocks))
        self.addresses = array("q", map(torch.Tensor.data_ptr, clocks))
        self.cells = list(map(c_int32.from_address, self.addresses))
        self.many = self.count >= FEW and watch.available()
        if self.many:
            self.now = array("i", bytes(4 * self.count))
            if not watched:
                self.watch = watch.Watch(clocks)
            self.at, self.target = self.addresses.buffer_info()[0], self.now.buffer_info()[0]

    def stay(self) -> bool:
        """True if all are where they were, as far as nobody else sees to it."""
        if self.watched:
            return True
        if self.many:
            return self.watch.look([]) is not None
        return array("q", map(torch.Tensor.data_ptr, self.clocks)) == self.addresses

    def read(self) -> Sequence[int]:
        """Return their values, or one value if all are the same."""
        if not self.many:
            now = list(map(VALUE, self.cells))
            return now if now.count(now[0]) < self.count else now[:1]
        function("read")(self.at, self.count, self.target)
        first = self.now[:1]
        return first if self.now.tobytes() == first.tobytes() * self.count else self.now

    def tick(self) -> None:
        """Add 1 to each."""
        if self.many:
            function("tick")(self.at, self.count)
            return
        for cell in self.cells:
            cell.value += 1
