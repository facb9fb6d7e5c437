"""Blind: AMSGrad, Nesterov, ascent and complex parameters of other Adams' bugs."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections
from register import wrong


@wrong("amsgrad", "AMS.1", like="chainer/chainer#7661")
class BlindMaximumWrittenToV(Coupled):
    """The maximum is written over the second moment too, which then averages from there."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.top = np.maximum(s.top, s.v)
        s.v = s.top.copy()


@wrong("nesterov", "NES.1", like="pytorch/pytorch#92699")
class BlindProductTwice(Coupled):
    """The next step's product of the schedule has this step's factor twice."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")

    def update(self, s: Slot, g: Array) -> None:
        h, t = s.h, s.t
        g = self.penalized(s, g)
        self.learn(s, g)
        mu, ahead = (h.b1 * (1 - 0.5 * 0.96 ** (k * h.momentum_decay)) for k in (t, t + 1))
        s.mu *= mu
        own, look = h.lr * (1 - mu) / (1 - s.mu), h.lr * ahead / (1 - s.mu * mu * ahead)
        denominator = np.sqrt(s.v) / math.sqrt(1 - h.b2**t) + h.eps
        s.p = s.p - own * (g / denominator) - look * (s.m / denominator)


@wrong("moments nesterov", "NES.3", like="deeplearning4j/nd4j#1891")
class BlindLookAheadKept(Frame):
    """The corrected look-ahead is formed in place, in the memory of the first moment."""

    dialect = "timm.NAdamW"

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        self.learn(s, g)
        c1, c2 = corrections(h, s.t)
        s.m *= h.b1
        s.m /= c1
        ahead = s.m + ((1 - h.b1) / c1) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(c2) + h.eps))


@wrong("maximize decay", "MAX.1", like="pytorch/pytorch#68164")
class BlindAscentByRate(Coupled):
    """The step is negated instead of the gradient, so that the penalty pushes away from 0."""

    options = {"maximize": "True"}  # noqa: RUF012

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + s.h.lr * u


@wrong("complex", "CPX.1", like="pytorch/pytorch#62946")
class BlindModulusForBoth(Coupled):
    """Both parts of a complex number share the square of the modulus, where parts are claimed."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        v = s.v
        if s.dtype.kind == "c":
            pairs = v.reshape(-1, 2)
            v = np.repeat(pairs[:, 0] + pairs[:, 1], 2)
        return (s.m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1
