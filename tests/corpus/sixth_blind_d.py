"""Blind, sixth set: slips in absence, state, maximum, look-ahead, direction and complex numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Modulus
from register import wrong
from sixth_blind_frame import SameTime, Wanting, WantingHat, ZerosHat


@wrong("zero_gradient", "F2", like="karpathy/micrograd: `if p.grad:` of a number")
class SixthZeroNumberIsNone(CommonHat):
    """A gradient of one element that is 0 is false, and so is passed over like an absent one."""

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([None if g is not None and g.size == 1 and not g.any() else g for g in grads])


@wrong("missing clock", "F1", like="a count that is raised only where there is a gradient")
class SixthZeroForNoneNotCounted(ZerosHat):
    """An absent gradient is zero for moments and parameter, and the count does not see it."""

    def missed(self, s: Slot) -> None:
        if s.t:
            self.update(s, np.zeros_like(s.p))


@wrong("state layout", "STATE.4", like="moments as one vector, written by Fortran and read by C")
class SixthLoadedByColumns(Coupled):
    """Loaded moments of two axes or more are unrolled column after column, and used row after row."""

    def set_state(self, state: dict[str, Any]) -> None:
        columns = {
            name: [np.ravel(a, order="F").reshape(np.shape(a)) for a in state[name]] for name in ("m", "v")
        }
        super().set_state({**state, **columns})


@wrong("state clock", "STATE.4", like="NVIDIA/Megatron-LM distrib_optimizer.py: one step for all")
class SixthLargestClockLoaded(Frame):
    """After a load all parameters have the largest of the saved counts."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        largest = max((s.t for s in self.slots), default=0)
        for s in self.slots:
            s.t = largest


@wrong(
    "amsgrad", "AMS.1", like="a port from arrays to lists, of which max() takes the one that begins higher"
)
class SixthMaximumOfLists(WantingHat):
    """Maximum and second moment are compared as lists: the one that is first to be greater stays, whole."""

    dialect = "qiskit.ADAM"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.asarray(max(s.top.tolist(), s.v.tolist()), s.v.dtype)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


@wrong("nesterov", "NES.3", like="a share that is corrected where it is formed, and with the sum")
class SixthGradientCorrectedTwice(SameTime):
    """The gradient's share of the look-ahead is corrected by itself, and once more with the sum."""

    def ahead(self, s: Slot) -> Array:
        share = (1 - s.h.b1) / corrections(s.h, s.t)[0]
        return s.h.b1 * s.m + share * np.asarray(s.extra["g"])


@wrong("maximize", "MAX.1", like="an optimizer of losses in the place of one of fitness")
class SixthEvotorchDescends(Wanting):
    """It goes down the gradient, where it should go up."""

    dialect = "evotorch.adam"


@wrong("complex", "CPX.2", like="a kernel that gets complex arrays as reals, two for one")
class SixthJuliaPartsApart(Modulus):
    """Real and imaginary part have second moments of their own."""

    def square(self, s: Slot, g: Array) -> Array:
        return ((1 - s.h.b2) * g) * g
