"""The memory of gradients: reused in every step, as in a training loop, and checked for writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.base import Stepper, same_bits
from adamcore.conformance.types import FloatArray, Probe, Step


class GradientBuffers:
    """One array for the gradients of each parameter, refilled in every step.

    It is filled with NaN between steps, so that a candidate that keeps a reference to a gradient instead of
    a copy fails.

    Args:
        probe: if its manner is "fresh" or its layout "broadcast", every step gets new arrays.
        make: returns a candidate's array with given values.
        refill: writes other values into such an array; None if arrays cannot be written to, so that every
            step gets new ones.
        read: returns an array's values in NumPy.
        read_each: does so for many arrays at once; None calls ``read`` for each.
    """

    def __init__(
        self,
        probe: Probe,
        make: Callable[[FloatArray], Any],
        refill: Callable[[Any, FloatArray], object] | None,
        read: Callable[[Any], FloatArray] = np.asarray,
        read_each: Callable[[Sequence[Any]], Sequence[FloatArray]] | None = None,
    ) -> None:
        self.make = make
        self.read_each = read_each or (lambda arrays: [read(x) for x in arrays])
        self.refill = None if probe.manner == "fresh" or probe.layout == "broadcast" else refill
        self.memory: dict[int, Any] = {}
        self.given: list[tuple[Any, FloatArray] | None] = []

    def fill(self, values: Sequence[FloatArray | None]) -> list[Any]:
        """Return the gradients of a step; an absent one stays None."""
        self.given = [None if g is None else (self.array(i, g), g) for i, g in enumerate(values)]
        return [None if given is None else given[0] for given in self.given]

    def array(self, i: int, values: FloatArray) -> Any:
        """Return the array of parameter ``i`` with these values."""
        if self.refill is None:
            return self.make(values)
        if i in self.memory:
            self.refill(self.memory[i], values)
        else:
            self.memory[i] = self.make(values)
        return self.memory[i]

    def written(
        self,
        index: int,
        now: Sequence[Any] | None = None,
        may_be: Sequence[FloatArray | None] | None = None,
    ) -> list[str]:
        """Return the gradients that were written to in step ``index``, and fill all of them with NaN.

        Args:
            index: the number of the step.
            now: the arrays that are now in the place of the gradients, if the candidate could replace them.
            may_be: other values that the gradients may have, such as those without their scale (SCALE.1).
        """
        found = []
        arrays = [given and (given[0] if now is None else now[i]) for i, given in enumerate(self.given)]
        values = iter(self.read_each([x for x in arrays if x is not None]))
        for i, (given, array) in enumerate(zip(self.given, arrays, strict=True)):
            if given is None:
                continue
            if array is None or not same_as_one_of(
                next(values), given[1], None if may_be is None else may_be[i]
            ):
                found.append(f"gradient {i} in step {index}")
                self.memory.pop(i, None)  # its shape may have changed
            elif self.refill is not None:
                self.refill(given[0], np.full_like(given[1], np.nan))
        return found


def without_scale(step: Step, stepper: Stepper) -> list[FloatArray | None] | None:
    """Return the gradients of a step without their loss scale, or None if there is none.

    A step that is handed the scale may leave them in the place of its gradients (SCALE.1).
    """
    if step.scale is None:
        return None
    handed = stepper.cast(step.grads)  # rounded, where it has 16 bits
    wide = (g if g is None else g.astype("c16" if g.dtype.kind == "c" else "f8") for g in handed)
    return stepper.cast([g if g is None else g / step.scale for g in wide])


def same_as_one_of(array: FloatArray, *values: FloatArray | None) -> bool:
    """True if an array has the bits of one of these values."""
    return any(value is not None and same_bits(array, value) for value in values)


def overwrite(array: FloatArray, values: FloatArray) -> None:
    """Write ``values`` into a NumPy array, even if it is read-only."""
    writable = array.flags.writeable
    array.setflags(write=True)
    array[...] = values
    array.setflags(write=writable)
