"""Blind, thirteenth set: reports of wrong moments, corrections and look-aheads, and right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import CommonHat, Dozat
from fourth_blind_frame import FOUR, Common, Hat, Keras, Nadam, lookahead
from register import right, wrong
from sixth_blind_frame import SameTime, WantingHat
from tenth_blind_frame import Greatest


@wrong(
    "moments hyperparameters",
    "MOM.1",
    like="NVIDIA-NeMo/Emerging-Optimizers#261: with a beta of 0 a local name is bound, and the buffer stays",
)
class ThirteenthAverageReassigned(Hat):
    """With a b1 of 0 the step takes the gradient itself, and the first moment is left as it was."""

    def update(self, s: Slot, g: Array) -> None:
        average = s.m
        if s.h.b1 > 0:
            average *= s.h.b1
            average += (1 - s.h.b1) * g
        else:
            average = g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        c1, c2 = corrections(s.h, s.t)
        self.move(s, (math.sqrt(c2) / c1) * (average / (np.sqrt(s.v) + s.h.eps)))


@wrong(
    "schedule moments",
    "LR.1",
    like="paiml/aprender#2190: the buffer of the momentum has the learning rate in it, and keeps an old one",
)
class ThirteenthRateInMomentum(CommonHat):
    """The first moment averages gradients times the rate that each of them came with."""

    dialect = "pennylane.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + ((1 - s.h.b1) * s.h.lr) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - u


@wrong(
    "bias_correction hyperparameters",
    "BC.1",
    like="tensorflow/tensorflow#40832: XLA throws an error where beta1 is 0",
)
class ThirteenthPowersByLogarithm(Keras):
    """A power of a beta is the exponential of t times its logarithm, which 0 does not have."""

    dialect = "tf_keras.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - math.exp(s.t * math.log(b)) for b in (s.h.b1, s.h.b2))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "bias_correction",
    "BC.1",
    like="tensorflow/tfjs-core#280: Beta1 should be raised to the power of t in the update",
)
class ThirteenthFirstPowerAlone(Common):
    """The first moment is divided by 1-b1 in every step, and the second one by 1-b2**t."""

    dialect = "tfjs.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c2 = corrections(s.h, s.t)[1]
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / (1 - s.h.b1)


@wrong(
    "epsilon",
    "EPS.1",
    like="pytorch/pytorch#2060: denom should have eps * sqrt(bias_correction2)",
)
class ThirteenthHatOfDozat(Dozat):
    """Epsilon joins the root before that is corrected, under a look-ahead after Dozat's schedule."""

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, math.sqrt(corrections(s.h, s.t)[1]) * (ahead / (np.sqrt(s.v) + s.h.eps)))


@wrong(
    "bias_correction",
    "BC.3",
    like="NervanaSystems/neon#67: ls_item, where the rate lies, is overwritten with the corrected one",
)
class ThirteenthRateOverwritten(WantingHat):
    """The corrected rate is written where the rate lies, until a new one is set."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["rate"] = s.h.lr

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            self.begin()

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.extra["rate"] *= math.sqrt(c2) / c1
        return np.asarray(s.m / (np.sqrt(s.v) + s.h.eps))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.extra["rate"] * u


@wrong(
    "nesterov",
    "NES.3",
    like="online-ml/river#219: (1 - beta_1) * gi * (1 - power(...)), under a rate that is corrected",
)
class ThirteenthShareUncorrected(SameTime):
    """The gradient's share of the look-ahead is multiplied by the correction that divides the whole."""

    def ahead(self, s: Slot) -> Array:
        share = (1 - s.h.b1) * corrections(s.h, s.t)[0]
        return s.h.b1 * s.m + share * np.asarray(s.extra["g"])


@right()
class ThirteenthGreatestRoot(Greatest):
    """The step divides by the greater one of two roots, and the maximum is kept beside."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        hat = s.v / c2
        before, now = (np.sqrt(a + s.h.eps_root) for a in (s.top, hat))
        s.top = np.maximum(s.top, hat)
        return (s.m / c1) / (np.maximum(before, now) + s.h.eps)


@right()
class ThirteenthLookAheadOfOld(Nadam):
    """The look-ahead is written out in the old first moment and the gradient; the new one comes behind."""

    def update(self, s: Slot, g: Array) -> None:
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        a, e = after / (1 - s.mu * after), (1 - now) / (1 - s.mu)
        ahead = (a * s.h.b1) * s.m + (a * (1 - s.h.b1) + e) * g
        self.learn(s, g)
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))
