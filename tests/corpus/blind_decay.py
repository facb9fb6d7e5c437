"""Blind: the weight decays of other Adams' bugs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from register import wrong


@wrong("decay", "DEC.1", like="mlverse/torch#821")
class BlindDecayOfIndex(Coupled):
    """The name of the loop's index stands for the parameter: its number is added to the gradient."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + s.h.weight_decay * (s.index + 1)


@wrong("decay", "DEC.2", like="OverLordGoldDragon/keras-adamw#39")
class BlindDecayOfSign(Frame):
    """The decay is that of an L1 penalty: of the parameter's sign."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (s.h.weight_decay * np.sign(s.p) + u)


@wrong("decay", "DEC.3", like="lucidrains/adam-atan2-pytorch#5")
class BlindDecayCompounds(Frame):
    """The group's decay is divided by the learning rate once more for each parameter after the first."""

    dialect = "paper.AdamW"

    def begin(self) -> None:
        for s in self.slots:
            s.extra["first"] = s.h.lr or 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.factor = 1.0
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.factor * s.h.weight_decay * s.p - s.h.lr * u
        self.factor /= s.extra["first"]


@wrong("decay", "DEC.1", like="apache/mxnet#8925")
class BlindDecayMultiplies(Coupled):
    """The gradient is multiplied where the penalty should be added: g *= 1 + wd*p."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g * (1 + s.h.weight_decay * s.p)


@wrong("decay schedule", "DEC.2", like="PaddlePaddle/Paddle#28300, tensorflow/addons#844")
class BlindDecayOfFirstRate(Frame):
    """The decay keeps the learning rate of the start, whatever the schedule says."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["first"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.extra["first"] * s.h.weight_decay * s.p - s.h.lr * u


@wrong("decay", "DEC.1", like="keras-team/keras keras/src/regularizers/regularizers.py (L2)")
class BlindDecayDoubled(Coupled):
    """The penalty is wd*p**2 without its half, so that the gradient has twice the decay."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + (s.h.weight_decay * s.p + s.h.weight_decay * s.p)
