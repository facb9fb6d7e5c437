"""Blind, tenth set: reports of a wrong decay, and right Adams in the forms of real ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections, flat
from fifth_blind_frame import CorrectedRate, Dozat, Refusing
from fourth_blind_frame import FOUR, Common, Keras
from register import right, wrong
from sixth_blind_frame import CoupledHat, Running, Wanting
from tenth_blind_frame import Greatest, interpolated


@wrong("decay", "DEC.2", like="joennlae/tensorli#1: `+ self.weight_decay * t.data`, without lr")
class TenthDecayWithoutRate(Refusing):
    """The decay is not multiplied by the learning rate."""

    dialect = "tinygrad.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr * u + s.h.weight_decay * s.p)


@wrong("decay", "DEC.1", like="andersbll/deeppy#17: `step -= penalty`")
class TenthPenaltyTakenAway(CoupledHat):
    """The penalty is taken away from the gradient, and not added."""

    dialect = "mxnet.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        return g - s.h.weight_decay * s.p


@wrong("decay", "DEC.2", like="keras-team/keras#19051: AdamW, a child of Adam, became Adam with L2")
class TenthDecayInGradient(Keras):
    """The decay joins the gradient, and goes through the moments."""

    dialect = "keras.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@right()
class TenthFoldedEpsilon(Common):
    """Both corrections stand in the step size, and epsilon is made smaller for it."""

    dialect = "apex.FusedAdam"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        size, eps = s.h.lr * math.sqrt(c2) / c1, s.h.eps * math.sqrt(c2)
        s.p = s.p - (size * (s.m / (np.sqrt(s.v) + eps)) + (s.h.lr * s.h.weight_decay) * s.p)


@right()
class TenthReciprocalCorrections(Refusing):
    """The moments are multiplied by the reciprocals of their corrections, and the parameter by 1-lr*wd."""

    dialect = "ggml.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        h1, h2 = (1 / c for c in corrections(s.h, s.t))
        keep = 1 - s.h.lr * s.h.weight_decay
        s.p = s.p * keep - s.h.lr * ((s.m * h1) / (np.sqrt(s.v) * math.sqrt(h2) + s.h.eps))


@right()
class TenthMomentsGoOn(Coupled):
    """The first moment is interpolated from its nearer end, and the second goes on by a difference."""

    dialect = "torchao.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        part = 1 - s.h.b2
        s.m = interpolated(s.m, g, 1 - s.h.b1)
        fresh = (part * g) * g
        s.v = s.v + (fresh - part * s.v) if part < 0.5 else s.h.b2 * s.v + fresh


@right()
class TenthPowersKept(Running, Common):
    """The powers of both betas are products that are kept, and tick for absent gradients too."""

    dialect = "tfjs.Adam"
    hyper = FOUR


@right()
class TenthMomentsInOneArray(Wanting):
    """Both moments of a parameter are the rows of one array, which the state holds."""

    dialect = "jax_example.adam"

    def get_state(self) -> dict[str, Any]:
        return {"t": [s.t for s in self.slots], "moments": [np.stack((s.m, s.v)) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if "moments" in state:
                s.m, s.v = (flat(row).copy() for row in state["moments"][s.index])


@right()
class TenthLookaheadInTwoSteps(Dozat):
    """The gradient's part of the look-ahead moves the parameter first, the moment's part then."""

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        root = np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps
        s.p = s.p - (s.h.lr * (1 - now) / (1 - s.mu)) * (g / root)
        s.p = s.p - (s.h.lr * after / (1 - s.mu * after)) * (s.m / root)


@right()
class TenthGreatestCorrected(Greatest):
    """The greatest corrected second moment is chosen, and the first is corrected before its division."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.where(s.top > s.v / c2, s.top, s.v / c2)
        return (s.m / c1) / (np.sqrt(s.top + s.h.eps_root) + s.h.eps)


@right()
class TenthRateOverAll(CorrectedRate):
    """The corrected learning rate multiplies step and decay together."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.p = s.p - (s.h.lr * math.sqrt(c2) / c1) * (u + s.h.weight_decay * s.p)
