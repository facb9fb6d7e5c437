"""Blind, fourteenth set: reports of wrong moments, look-aheads, epsilons and steps, and right ones."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Zeros
from fourth_blind_frame import Ahead, Common, Keras
from register import right, wrong
from seventh_blind_frame import WantingUncorrected
from sixth_blind_frame import SameTime, Wanting
from tenth_blind_frame_b import Undecayed


@wrong(
    "moments",
    "MOM.3",
    like="torch/optim#130: the mean of the squares is initialised with ones, so that no step is large",
)
class FourteenthMeanOfOnes(Wanting):
    """The second moment is 1 in the beginning, which keeps the first steps short."""

    dialect = "quimb.ADAM"

    def begin(self) -> None:
        for s in self.slots:
            s.v = np.ones_like(s.v)


@wrong(
    "moments",
    "MOM.1",
    like="AmericanPresidentJimmyCarter/adamw-bf16#1: the mask scales the estimate itself, and not the update",
)
class FourteenthMaskInMoment(Frame):
    """An element of the first moment whose sign is not the gradient's is set to 0, where it is kept."""

    dialect = "fastai.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.m = s.m * (s.m * g > 0)


@wrong(
    "moments",
    "MOM.1",
    like="microsoft/CNTK#2196: with unit_gain=False Adam's momentum has no unit gain, and all diverges",
)
class FourteenthNoUnitGain(Zeros):
    """The gradient joins the first moment without the weight 1-b1; the correction is that of an average."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong(
    "moments",
    "MOM.2",
    like="mlpack/mlpack#1161: the % of the library, a product of elements, is taken for a remainder",
)
class FourteenthRemainder(Undecayed):
    """The second moment averages the remainder of the gradient by itself, for its square."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + (1 - s.h.b2) * (g % g)


@wrong(
    "moments schedule",
    "STEP.1",
    like="mdenil/dropout#4: (1-mom) is in the average, and multiplies the step once more",
)
class FourteenthShareTwice(WantingUncorrected):
    """The step along the first moment is multiplied by 1-b1, which is in the average already."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - ((1 - s.h.b1) * s.h.lr) * u


@wrong(
    "moments schedule",
    "STEP.1",
    like="BRML/climin#29: step1 = step_m1 * m * self.step_rate, of a step that has the rate in it",
)
class FourteenthRateInOldPart(Wanting):
    """What is left of the old first moment is multiplied by the rate twice, the gradient once."""

    dialect = "climin.Adam"

    def update(self, s: Slot, g: Array) -> None:
        old, new = s.h.b1 * s.m, (1 - s.h.b1) * g
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(s.v) / math.sqrt(c2) + s.h.eps
        self.move(s, ((s.h.lr * old + new) / below) / c1)


@wrong(
    "nesterov",
    "NES.3",
    like="PaddlePaddle/Paddle#12231: param - gradient * lr + mu * velocity * lr lacks a bracket",
)
class FourteenthAheadBackwards(SameTime):
    """The moment's share of the look-ahead is taken from that of the gradient, and not added."""

    def ahead(self, s: Slot) -> Array:
        return (1 - s.h.b1) * np.asarray(s.extra["g"]) - s.h.b1 * s.m


@wrong(
    "epsilon",
    "EPS.1",
    like="keras-team/keras#14036: epsilon is to be multiplied by 1 - sqrt(1 - beta_2^t), as is proposed",
)
class FourteenthEpsilonFades(Keras):
    """Under a corrected rate epsilon is multiplied by 1-sqrt(1-b2**t), where the root itself is due."""

    dialect = "tf_keras.Adam"
    options = {"adaptive_epsilon": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        eps = s.h.eps * (1 - math.sqrt(c2))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + eps))


@wrong(
    "mixed_precision",
    "NUM.1",
    like="DaemonEngine/Daemon#1458: an inverse root by its bits is wrong in the fourth digit",
)
class FourteenthRootByBits(Common):
    """In float32 the inverse root is half of the bits from a constant, with one turn of Newton's method."""

    dialect = "candle.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        root = np.sqrt(s.v)
        if s.v.dtype == np.float32:
            bits = np.int32(0x5F3759DF) - (s.v.view(np.int32) >> 1)
            inverse = bits.view(np.float32)
            root = s.v * (inverse * (1.5 - (0.5 * s.v) * inverse * inverse))
        return (s.m / (root / math.sqrt(c2) + s.h.eps)) / c1


@right()
class FourteenthHypotenuse(Wanting):
    """The root is the hypotenuse of what is left of the old one and of the gradient's share."""

    def update(self, s: Slot, g: Array) -> None:
        root = np.hypot(math.sqrt(s.h.b2) * np.sqrt(s.v), math.sqrt(1 - s.h.b2) * g)
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        self.move(s, (s.m / (root / math.sqrt(c2) + s.h.eps)) / c1)


@right()
class FourteenthOneDivision(Ahead):
    """The gradient's share takes the ratio of both corrections, and the later one divides the sum."""

    def ahead(self, s: Slot, g: Array) -> Array:
        now, after = (1 - s.h.b1**t for t in (s.t, s.t + 1))
        return (s.h.b1 * s.m + ((1 - s.h.b1) * (after / now)) * g) / after
