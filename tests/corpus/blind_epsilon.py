"""Blind: the epsilons of other Adams' bugs."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


@wrong("epsilon", "EPS.1", like="kozistr/pytorch_optimizer#397")
class BlindEpsilonTwice(Frame):
    """Epsilon stands under the root and beside it."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return s.m / (np.sqrt(s.v / c2 + s.h.eps) + s.h.eps) / c1


@wrong("epsilon", "EPS.1", like="kozistr/pytorch_optimizer#480")
class BlindEpsilonAfterReciprocal(Frame):
    """Epsilon is added to the reciprocal of the root, not to the root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        scale = np.reciprocal(np.sqrt(s.v)) * math.sqrt(c2)
        return (s.m / c1) * (scale + s.h.eps)


@wrong("epsilon", "EPS.1", like="lessw2020/FAdam_PyTorch#1")
class BlindEpsilonByGradient(Frame):
    """Where a gradient is small, epsilon is multiplied by its root mean square."""

    def update(self, s: Slot, g: Array) -> None:
        size = math.sqrt(float(np.mean(np.square(g, dtype=np.float64)))) if g.size else 1.0
        eps = s.h.eps * min(1.0, size)
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        self.move(s, (s.m / (np.sqrt(s.v) / math.sqrt(c2) + eps)) / c1)


@wrong("epsilon", "EPS.1", like="pytorch/pytorch torch/optim/adam.py (capturable)")
class BlindEpsilonNotRescaled(Frame):
    """The denominator is divided by the step size, and epsilon joins it as it is."""

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        size = s.h.lr / c1
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay)
        if size:
            s.p = s.p - s.m / (np.sqrt(s.v) / (math.sqrt(c2) * size) + s.h.eps)
