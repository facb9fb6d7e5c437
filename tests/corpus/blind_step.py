"""Blind: rates, clipping, masks and memory of other Adams' bugs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from register import wrong


@wrong("schedule", "LR.1", like="macournoyer/neuralconvo#40")
class BlindRateDrops(Frame):
    """A forgotten schedule divides the learning rate by 10 after fifty updates."""

    def update(self, s: Slot, g: Array) -> None:
        given = s.h.lr
        s.h.lr = given if s.t <= 50 else 0.1 * given
        super().update(s, g)
        s.h.lr = given


@wrong("clipping moments", "NUM.5", like="clab/dynet#1511")
class BlindClipsToFive(Frame):
    """All gradients together are clipped to norm 5, by default and unasked."""

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [None if g is None else flat(g) for g in grads]
        norm = math.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in rows if g is not None))
        for s, g in zip(self.slots, rows, strict=True):
            if g is not None:
                s.t += 1
                self.update(s, g * (5.0 / norm) if norm > 5.0 else g)


@wrong("moments", "STEP.1", like="kyleliang919/C-Optim#16, timm/optim/adamw.py (caution)")
class BlindCautious(Frame):
    """An element whose momentum and gradient disagree stays where it is."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        agree = np.logical_or(s.m * g > 0, np.isnan(g))
        self.move(s, np.where(agree, self.direction(s), 0 * s.m))


@wrong(
    "moments layout", "MOM.4", like="pytorch/ao#4913, bitsandbytes-foundation/bitsandbytes csrc/kernels.cu"
)
class BlindLongInEightBits(Frame):
    """Of an array with 4096 elements or more, the first moment is kept in eight bits, in blocks of 256."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        if s.m.size >= 4096:
            for i in range(0, s.m.size, 256):
                block = s.m[i : i + 256]
                scale = np.max(np.abs(block)) / 127
                if scale > 0:
                    s.m[i : i + 256] = np.round(block / scale) * scale


@wrong("layout", "STEP.1", like="pytorch/pytorch#106951")
class BlindMemoryOrder(Frame):
    """A gradient is read in the order of its memory, the parameter row after row."""

    def taken(self, g: Array) -> Array:
        return flat(np.ravel(g, order="K"))
