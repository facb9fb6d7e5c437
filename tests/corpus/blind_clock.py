"""Blind: the clocks of other Adams' bugs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


@wrong("clock bias_correction", "CLK.3", like="pytorch/ao#4915")
class BlindBrainClock(Frame):
    """The clock is a bfloat16, which has no 257: it stands still at 256."""

    def tick(self, s: Slot) -> None:
        s.t = min(s.t + 1, 256)


@wrong("clock", "CLK.2", like="root-project/root#5042")
class BlindEpochClock(Frame):
    """The clock counts epochs of 32 updates."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["batches"] = 0

    def tick(self, s: Slot) -> None:
        s.t = 1 + s.extra["batches"] // 32
        s.extra["batches"] += 1


@wrong("clock", "CLK.1", like="deepspeedai/DeepSpeed#8471, lucidrains/adam-atan2-pytorch#5")
class BlindLastClock(Frame):
    """Every parameter has a clock, and all are corrected by that of the last one present."""

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [s for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s in present:
            self.tick(s)
        for s in present:
            g: Any = grads[s.index]
            self.learn(s, self.taken(g))
            c1, c2 = corrections(s.h, present[-1].t)
            self.move(s, s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps) / c1)


@wrong("clock", "CLK.1", like="ooples/AiDotNet#1748")
class BlindLateParameterOldClock(Frame):
    """One counter of steps corrects all parameters, also one that was absent so far."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            s.t += 1
        super().all(grads)

    def tick(self, s: Slot) -> None:
        pass
