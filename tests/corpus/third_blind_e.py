"""Blind, third set: slips in isolation, layout, precision and kept state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


@wrong("isolation state", "MOM.1", like="LiyuanLucasLiu/RAdam#36")
class ThirdStateByShape(Frame):
    """Isolation: the moments are kept by the shape of the array, so that arrays of one shape share them."""

    def begin(self) -> None:
        self.shared: dict[tuple[Any, ...], tuple[Array, Array]] = {}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def learn(self, s: Slot, g: Array) -> None:
        s.m, s.v = self.shared.get((s.shape, s.dtype), (s.m, s.v))
        super().learn(s, g)
        self.shared[s.shape, s.dtype] = s.m, s.v


@wrong("isolation layout", "MOM.2")
class ThirdTailReadsNeighbour(Frame):
    """Isolation: an index ends one too low, and the last element is divided by the root of its neighbour."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        v = s.v[np.minimum(np.arange(s.v.size), max(s.v.size - 2, 0))]
        return (s.m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("layout isolation", "STEP.1", like="deepspeedai/DeepSpeed#7640")
class ThirdBeyondTheIndex(Frame):
    """Shape: the index of a kernel is one byte wide, and an array's first 256 elements alone are stepped."""

    def update(self, s: Slot, g: Array) -> None:
        before = s.p, s.m, s.v
        super().update(s, g)
        far = np.arange(g.size) >= 256
        s.p, s.m, s.v = (np.where(far, old, new) for old, new in zip(before, (s.p, s.m, s.v), strict=True))


@wrong("layout", "MOM.1", like="pytorch/pytorch#106951")
class ThirdReadAcross(Frame):
    """Shape: the gradient of an array of two or more axes is read in the order of its transpose."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) > 1:
            pairs = g.reshape(*s.shape, -1) if g.size else g.reshape(*s.shape, 1)
            axes = (*range(len(s.shape) - 1, -1, -1), len(s.shape))
            g = np.ascontiguousarray(pairs.transpose(axes)).reshape(-1)
        super().update(s, g)


@wrong("complex", "CPX.2")
class ThirdConjugated(Frame):
    """Sign: a gradient is conjugated once too often, and imaginary parts go the wrong way."""

    def update(self, s: Slot, g: Array) -> None:
        if s.dtype.kind == "c":
            g = g.copy()
            g[1::2] = -g[1::2]
        super().update(s, g)


@wrong("mixed_precision", "NUM.1")
class ThirdParametersInSingle(Frame):
    """Precision: the parameter is written back as a float32, also where it is a float64."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if s.p.dtype == np.float64:
            s.p = s.p.astype(np.float32).astype(np.float64)


@wrong("mixed_precision moments", "MOM.4", like="inclusionAI/AReno#541")
class ThirdSecondInBytes(Frame):
    """Precision: the second moment is stored as 255 equal parts of the greatest one in its array."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        part = float(s.v.max()) / 255 if s.v.size else 0.0
        if 0 < part < math.inf:
            s.v = (np.round(s.v / part) * part).astype(s.v.dtype)


@wrong("state moments", "MOM.1", like="KempnerInstitute/KempnerForge#115")
class ThirdMomentsLostOnReturn(Frame):
    """State: when a saved state is taken up, the count comes back and both moments begin from 0."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong("state clock", "CLK.2", like="deepspeedai/DeepSpeed#564")
class ThirdCountedOnReturn(Frame):
    """State: taking up a saved state counts as a step, and the counts run one ahead from there."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.t += s.t > 0
