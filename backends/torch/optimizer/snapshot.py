"""What a ``state_dict`` shows of the state: the values of its moment, copied only if training goes on.

The tensors in a ``state_dict`` share memory with the optimizer's own, so a checkpoint that is written at once
takes no memory.  Before the optimizer's next change, those that are still held get memory of their own.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

PLAIN = (torch.Tensor, torch.nn.Parameter)


class Snapshots:
    """The tensors of an optimizer's state that were given away and share memory with it."""

    def __init__(self) -> None:
        self.given: list[weakref.ref[torch.Tensor]] = []
        self.unseen = False  #: True if steps may be made without Python: copies are made at once

    def of(self, x: torch.Tensor, unseen: bool) -> torch.Tensor:
        """Return a tensor with the values of ``x``, which later steps do not change.

        Args:
            x: a tensor of the state.
            unseen: steps may be made that do not call :meth:`part`, as in a CUDA graph.
        """
        if unseen or self.unseen or not (type(x) in PLAIN or is_traceable_wrapper_subclass(x)):
            return x.detach().clone()
        shown = x.detach()
        self.given.append(weakref.ref(shown))
        return shown

    def part(self) -> None:
        """Give the tensors that are still held memory of their own."""
        for ref in self.given:
            shown = ref()
            if shown is not None:
                own_memory(shown)
        self.given = []


def own_memory(x: torch.Tensor) -> None:
    """Replace the memory of a tensor by a copy; the tensor stays the same object."""
    if type(x) in PLAIN:
        x.data = x.data.clone()
        return
    names, _ = x.__tensor_flatten__()  # type: ignore[attr-defined]
    for name in names:
        inner = getattr(x, name)
        if isinstance(inner, torch.Tensor):
            inner = inner.detach()
            own_memory(inner)
            setattr(x, name, inner)


def kept(value: Any, made: dict[int, tuple[torch.Tensor, torch.Tensor]]) -> Any:
    """Return a group's setting as it is now: a copy if it is a tensor, or a list or tuple of some.

    Args:
        value: the setting.
        made: what was copied so far and its copy, by its ``id``: what groups share, their copies share.
    """
    if isinstance(value, torch.Tensor):
        if id(value) not in made:
            made[id(value)] = value, value.detach().clone().requires_grad_(value.requires_grad)
        return made[id(value)][1]
    if type(value) in (list, tuple):
        return type(value)(kept(x, made) for x in value)
    return value
