"""Blind: freezing, saving and sharing of other Adams' bugs."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from register import wrong


@wrong("missing", "F1", like="open-mmlab/OpenPCDet#845")
class BlindAbsentCoasts(Frame):
    """A parameter without a gradient moves on by the momentum that it has."""

    def missed(self, s: Slot) -> None:
        if s.t:
            s.p = s.p - s.h.lr * self.direction(s)


@wrong("state", "STATE.4", like="TrenTorch/TrenTorch#187")
class BlindClockNotSaved(Frame):
    """The moments are saved, the clock is not: after a load it starts at 0."""

    def get_state(self) -> dict[str, Any]:
        saved = super().get_state()
        del saved["t"]
        return saved

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "t": 0})


@wrong("aliasing", "STATE.2", like="mlverse/torch R/optim-adam.R (grad$add_)")
class BlindGradientKeepsPenalty(Coupled):
    """The penalty is added to the caller's own gradient."""

    def penalized(self, s: Slot, g: Array) -> Array:
        g += s.h.weight_decay * s.p
        return g


@wrong("isolation", "STATE.3", like="LiyuanLucasLiu/RAdam#36")
class BlindSharedCorrections(Frame):
    """Ten slots of the class remember the last corrections by t alone, for all optimizers."""

    buffer: ClassVar[list[tuple[int, float, float]]] = [(0, 0.0, 0.0)] * 10

    def direction(self, s: Slot) -> Array:
        step, c1, c2 = self.buffer[s.t % 10]
        if step != s.t:
            c1, c2 = corrections(s.h, s.t)
            self.buffer[s.t % 10] = (s.t, c1, c2)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1
