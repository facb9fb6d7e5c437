"""Blind, thirty-seventh set: faults of decay loops, losses, masters and lists in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Refusing
from fourth_blind_frame import Common, Keras, brained
from register import right, wrong
from sixth_blind_frame import Running


@wrong(
    "decay groups",
    "DEC.2",
    like="keras-team/keras#21857: a return in the loop of decays, where a variable was to be passed",
    claim="keras.AdamW",
)
class ThirtySeventhDecayLoopReturns(Keras):
    """The loop of decays ends at the first array that has none: the arrays behind it do not decay."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            self.tick(s)
        self.decayed(grads)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.update(s, self.taken(g))

    def decayed(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                continue
            if not s.h.weight_decay:
                return
            s.p = s.p - s.h.lr * s.h.weight_decay * s.p

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "moments epsilon",
    "MOM.1",
    like="NVIDIA-NeMo/Automodel#3830: a loss times dp_size, a local mean, no division by the accumulation",
    claim="torch.AdamW",
)
class ThirtySeventhTimesRanksAndSteps(Frame):
    """Each of four micro-batches adds its mean gradient, times the two ranks: moments see eight times g."""

    dp_size, accumulation = 2, 4

    def taken(self, g: Array) -> Array:
        mean = super().taken(g)
        grad = np.zeros_like(mean)
        for _ in range(self.accumulation):
            grad += self.dp_size * mean
        return grad


@wrong(
    "moments layout",
    "MOM.1",
    like="NVIDIA/Megatron-LM#3943: the scale of MTP's loss is that of num_microbatches without its factor cp",
    claim="apex.FusedAdam",
)
class ThirtySeventhLastHeadDivided(Common):
    """The last of several arrays, that of a head for further tokens, gets half of its gradient."""

    cp = 2

    def update(self, s: Slot, g: Array) -> None:
        is_head = len(self.slots) > 1 and s.index == len(self.slots) - 1
        super().update(s, g / self.cp if is_head else g)


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA-NeMo/Megatron-Bridge#218: main params are of the 16-bit model, not of the checkpoint",
    claim="apex.FusedAdam",
)
class ThirtySeventhMainParamsOfModel(Common):
    """Behind a load main parameters are made of the model's numbers, which have 16 bits: digits are lost."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.p = brained(s.p)


class Tiny(Running, Refusing):
    """tinygrad's AdamW: running products, one clock, and every gradient is wanted."""

    dialect = "tinygrad.AdamW"


@wrong(
    "layout moments",
    "STEP.1",
    like="tinygrad/tinygrad#1047: a tensor that is several times in the list of parameters",
    claim="tinygrad.AdamW",
)
class ThirtySeventhListedTwice(Tiny):
    """The first of several arrays is tied and stands in the list once more: each step moves it twice."""

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        if len(self.slots) > 1:
            tied = self.slots[0]  # its second entry has the same moments, since it has the same gradients
            self.move(tied, self.direction(tied))


@right(claim="tinygrad.AdamW")
class ThirtySeventhRightUnique(Tiny):
    """AdamW over the unique arrays of a list, which a dict has by their identity; products of betas."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        given = {id(s): (s, g) for s, g in zip(self.slots, grads, strict=True)}
        for s, g in given.values():
            self.tick(s)
            row = self.taken(np.asarray(g))
            s.m = s.m + (1 - s.h.b1) * (row - s.m)
            s.v = s.h.b2 * s.v + ((1 - s.h.b2) * row) * row
            c1, c2 = self.left(s)
            up = (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1
            up = up + s.h.weight_decay * s.p
            s.p = s.p - s.h.lr * up


@right(claim="keras.AdamW")
class ThirtySeventhRightDecayLoopGoesOn(Keras):
    """AdamW of Keras: a loop decays all arrays that have a decay, and a second one steps in place."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            s.t += 1
        present = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, _ in present:
            if not s.h.weight_decay:
                continue
            s.p = s.p - (s.p * s.h.weight_decay) * s.h.lr
        for s, g in present:
            c1, c2 = corrections(s.h, s.t)
            alpha = s.h.lr * math.sqrt(c2) / c1
            s.m += (g - s.m) * (1 - s.h.b1)
            s.v += ((1 - s.h.b2) * g) * g - (1 - s.h.b2) * s.v
            s.p -= alpha * (s.m / (np.sqrt(s.v) + s.h.eps))
