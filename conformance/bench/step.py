"""A step that is timed, and what a training changes between two steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Gradients(Protocol):
    """The gradients of a step, which a training makes anew before each step."""

    def release(self) -> None:
        """Let go of the gradients, as ``zero_grad(set_to_none=True)`` does."""

    def make(self) -> None:
        """Make gradients in memory that is allocated for them, the last parameter's first."""

    def refill(self) -> bool:
        """Write new gradients into the memory of the old ones; return False if the framework can't."""


@dataclass
class Step:
    """One contender's step.  A call makes one step and waits for its end."""

    run: Callable[[], object]
    gradients: Gradients | None = None  #: None if nothing can be changed between two steps
    set_lr: Callable[[float], None] | None = None  #: None if the step has a schedule of its own, or no lr
    bytes: int | None = None  #: that it moves, if known
    passes: int | None = None  #: fusions and custom calls of a compiled step
    compilations: Callable[[], int] | None = None  #: returns how many programs were compiled so far
    extra_memory: Callable[[], int] | None = None  #: measures a step's memory on its device, in bytes

    def __call__(self) -> None:
        self.run()


@dataclass
class ListGradients:
    """Gradients in a list, in whose slots new arrays are put.

    Args:
        slots: the list that the step reads.
        source: the new gradients, which are copied.
        copy: returns a copy of an array of ``source`` in memory of its own.
        copy_into: copies the second array into the first; None if arrays can't be written.
        put: called with the list after each change of a slot's array.
    """

    slots: list[Any]
    source: Sequence[Any]
    copy: Callable[[Any], Any]
    copy_into: Callable[[Any, Any], object] | None = None
    put: Callable[[Sequence[Any]], None] = lambda slots: None

    def release(self) -> None:
        self.slots[:] = [None] * len(self.slots)
        self.put(self.slots)

    def make(self) -> None:
        for k in reversed(range(len(self.source))):
            self.slots[k] = self.copy(self.source[k])
        self.put(self.slots)

    def refill(self) -> bool:
        if self.copy_into is None:
            return False
        for k in reversed(range(len(self.source))):
            self.copy_into(self.slots[k], self.source[k])
        return True
