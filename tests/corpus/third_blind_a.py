"""Blind, third set: slips in the two moments."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


@wrong("moments bias_correction", "MOM.1", like="frgfm/holocron#1")
class ThirdFirstCorrectedInPlace(Frame):
    """First moment: its bias is corrected in the memory that keeps it, so that the next step begins there."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.m = s.m / c1
        return s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


@wrong("moments", "MOM.1", like="PennyLaneAI/pennylane#1928")
class ThirdFirstGradientWhole(Frame):
    """First moment: the first gradient becomes the moment whole, as its square does, and is corrected too."""

    def learn(self, s: Slot, g: Array) -> None:
        if s.t == 1:
            s.m, s.v = g.copy(), g * g
        else:
            super().learn(s, g)


@wrong("moments", "MOM.1")
class ThirdQuotientAveraged(Frame):
    """First moment: it averages what is left of each gradient after the division by the root."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        whitened = g / (np.sqrt(s.v) / math.sqrt(c2) + h.eps)
        s.m = h.b1 * s.m + (1 - h.b1) * whitened
        self.move(s, s.m / c1)


@wrong("moments", "STEP.1")
class ThirdMovesThenLearns(Frame):
    """First moment: the parameter moves by the moments of the step before; then the gradient is learnt."""

    def update(self, s: Slot, g: Array) -> None:
        self.move(s, self.direction(s))
        self.learn(s, g)


@wrong("moments", "MOM.2", like="fastai/fastbook#342")
class ThirdSquareUndamped(Frame):
    """Second moment: the new square enters with the weight 1 instead of 1 - b2."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + g * g


@wrong("moments", "MOM.2", like="stockeh/mlx-optimizers#43")
class ThirdDenominatorOneBehind(Frame):
    """Second moment: from the second step on the root is drawn of what stood there before this gradient."""

    def learn(self, s: Slot, g: Array) -> None:
        s.extra["behind"] = s.v
        super().learn(s, g)

    def direction(self, s: Slot) -> Array:
        behind = s.t > 1
        c1, _ = corrections(s.h, s.t)
        _, c2 = corrections(s.h, s.t - behind)
        v = s.extra["behind"] if behind else s.v
        return (s.m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("moments layout", "MOM.2")
class ThirdMeanOfLeaf(Frame):
    """Second moment: the mean of the squares over the whole array is broadcast to every element of it."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        if g.size:
            s.v = s.h.b2 * s.v + (1 - s.h.b2) * np.mean(g * g)


@wrong("moments layout", "MOM.2")
class ThirdMeanOfRow(Frame):
    """Second moment: where there are two axes or more, the mean of a row stands for all of its squares."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        square = g * g
        if len(s.shape) > 1 and g.size:
            rows = square.reshape(*s.shape[:-1], -1)
            square = np.broadcast_to(rows.mean(axis=-1, keepdims=True), rows.shape).reshape(-1)
        s.v = s.h.b2 * s.v + (1 - s.h.b2) * square
