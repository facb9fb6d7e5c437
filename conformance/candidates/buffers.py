"""Gradients as frameworks hand them over: in the same memory step after step, and watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.types import FloatArray, Probe


class GradientBuffers:
    """One array for each parameter's gradients, filled anew for every step.

    Between two steps there is NaN in it, so that an optimizer which holds on to a gradient instead
    of copying it reads what a training loop would give it: anything but the old values.

    Args:
        probe: whose manner may be to have new arrays all the same.
        make: a candidate's array with given values.
        refill: writes other values into such an array; None where arrays cannot be written to,
            and every step gets new ones.
        read: an array's values in NumPy.
    """

    def __init__(
        self,
        probe: Probe,
        make: Callable[[FloatArray], Any],
        refill: Callable[[Any, FloatArray], object] | None,
        read: Callable[[Any], FloatArray] = np.asarray,
    ) -> None:
        self.make, self.read = make, read
        self.refill = None if probe.manner == "fresh" else refill
        self.memory: dict[int, Any] = {}
        self.given: list[tuple[Any, FloatArray] | None] = []

    def fill(self, values: Sequence[FloatArray | None]) -> list[Any]:
        """The gradients of a step; None stays None."""
        self.given = [None if g is None else (self.array(i, g), g) for i, g in enumerate(values)]
        return [None if given is None else given[0] for given in self.given]

    def array(self, i: int, values: FloatArray) -> Any:
        if self.refill is None:
            return self.make(values)
        if i in self.memory:
            self.refill(self.memory[i], values)
        else:
            self.memory[i] = self.make(values)
        return self.memory[i]

    def written(self, index: int, now: Sequence[Any] | None = None) -> list[str]:
        """What was written to in step ``index``; afterwards all gradients are spoiled.

        Args:
            now: the arrays that stand where the gradients stood, if others may by now.
        """
        found = []
        for i, given in enumerate(self.given):
            if given is None:
                continue
            array = given[0] if now is None else now[i]
            if array is None or not same_bits(self.read(array), given[1]):
                found.append(f"gradient {i} in step {index}")
                self.memory.pop(i, None)  # it may have another shape by now
            elif self.refill is not None:
                self.refill(given[0], np.full_like(given[1], np.nan))
        return found


def overwrite(array: FloatArray, values: FloatArray) -> None:
    """Write ``values`` into an array of NumPy, one that a candidate may not write to included."""
    writable = array.flags.writeable
    array.setflags(write=True)
    array[...] = values
    array.setflags(write=writable)
