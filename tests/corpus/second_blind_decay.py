"""Blind, second set: decay and epsilon of other Adams' bugs."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from register import wrong


@wrong("decay hyperparameters", "DEC.2", like="PaddlePaddle/PaddleCustomDevice#1202")
class FreshNoDecayNoStep(Frame):
    """A parameter whose decay is 0 is not stepped at all."""

    def update(self, s: Slot, g: Array) -> None:
        if s.h.weight_decay:
            super().update(s, g)


@wrong("decay", "DEC.2", like="egg-west/AdamW-pytorch#1")
class FreshDecayByStepSize(Frame):
    """Decay is multiplied by lr/(1-b1**t), the step size."""

    def move(self, s: Slot, u: Array) -> None:
        size = s.h.lr / corrections(s.h, s.t)[0]
        s.p = s.p - size * s.h.weight_decay * s.p - s.h.lr * u


@wrong("decay layout", "DEC.2", like="deepspeedai/DeepSpeed#3109")
class FreshTailWithoutDecay(Frame):
    """The elements that are left after the last whole vector of eight do not decay."""

    def move(self, s: Slot, u: Array) -> None:
        whole = np.arange(s.p.size) < s.p.size // 8 * 8
        s.p = s.p - s.h.lr * s.h.weight_decay * np.where(whole, s.p, 0) - s.h.lr * u


@wrong("epsilon moments", "EPS.1", like="juntang-zhuang/Adabelief-Optimizer#57")
class FreshEpsilonIntoSquare(Frame):
    """Epsilon is added to the stored second moment in each step, and to the root as well."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.v = s.v + s.h.eps


@wrong("hyperparameters epsilon decay", "EPS.1", like="NVIDIA/warp#1143")
class FreshEpsilonForDecay(Frame):
    """Epsilon and the decay are handed over in each other's place."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.weight_decay)) / c1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.eps * s.p - s.h.lr * u


@wrong("epsilon", "EPS.1", like="shahsohil/DCC#32")
class FreshEpsilonBySize(Frame):
    """Epsilon is divided by the root of the number of elements."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        eps = s.h.eps / math.sqrt(max(1, math.prod(s.shape)))
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + eps)) / c1


@wrong("amsgrad epsilon", "AMS.1", like="juntang-zhuang/Adabelief-Optimizer#32")
class FreshEpsilonIntoMaximum(Coupled):
    """Epsilon is added to the stored maximum in each step, and to the root as well."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v) + s.h.eps
        return (s.m / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("epsilon", "EPS.1", like="NVIDIA/apex#799")
class FreshFloorUnderRoot(Frame):
    """A constant of 1e-12 stands under the root, to keep it from 0, beside epsilon outside."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v / c2 + 1e-12) + s.h.eps)) / c1
