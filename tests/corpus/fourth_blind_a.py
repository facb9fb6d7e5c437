"""Blind, fourth set: slips in the moments and in what corrects them."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fourth_blind_frame import FOUR, Hat, Keras, brained
from register import wrong


def learnt(b: float, old: Array, new: Array) -> Array:
    """Return the moving average after one more number."""
    return b * old + (1 - b) * new


@wrong("moments", "STEP.1", like="replikativ/raster#233")
class FourthMomentsInlined(Frame):
    """The step forms both averages once more, from the stored ones, which are right."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        g = s.extra.pop("g")
        m, v = learnt(s.h.b1, s.m, g), learnt(s.h.b2, s.v, g * g)
        return (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.extra["g"] = g


@wrong("moments", "MOM.2", like="thearnavrustagi/Lux optim/adam.py")
class FourthVarianceOverwritten(Frame):
    """The new square replaces the second moment, where it should be added to what is left of it."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = learnt(s.h.b1, s.m, g)
        s.v = ((1 - s.h.b2) * g) * g


@wrong("moments layout", "MOM.2", like="mitsuba-renderer/mitsuba3#1423")
class FourthVectorDotted(Frame):
    """The square is a product of the array's type: a dot product of vectors, one of matrices."""

    def update(self, s: Slot, g: Array) -> None:
        square = g * g
        if len(s.shape) == 1:
            square = np.full_like(g, g @ g)
        elif len(s.shape) == 2 and s.shape[0] == s.shape[1] and s.dtype.kind == "f":
            grid = g.reshape(s.shape)
            square = (grid @ grid).reshape(-1)
        s.m, s.v = learnt(s.h.b1, s.m, g), learnt(s.h.b2, s.v, square)
        self.move(s, self.direction(s))


@wrong("moments layout", "MOM.2", like="ooples/AiDotNet#1526")
class FourthHalvesInTurn(Frame):
    """A row that occurs twice in a batch is averaged in twice, each time with half of the gradient."""

    def learn(self, s: Slot, g: Array) -> None:
        if len(s.shape) < 2:
            super().learn(s, g)
        else:
            super().learn(s, g / 2)
            super().learn(s, g / 2)


@wrong("moments", "MOM.2", like="code on GitHub: v = beta2 * v + (1 - beta1) * Delta_hat ** 2")
class FourthSecondByFirstWeight(Frame):
    """The square is weighed by 1-b1, and what is left of the old second moment by b2."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = learnt(s.h.b1, s.m, g)
        s.v = s.h.b2 * s.v + ((1 - s.h.b1) * g) * g


@wrong("moments mixed_precision", "MOM.4", like="keras-team/keras-hub#2629")
class FourthKerasSecondInBfloat(Keras):
    """The second moment is a bfloat16, which a small new square no longer changes."""

    dialect = "keras.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.v = brained(s.v)


@wrong("bias_correction clock", "BC.1", like="thearnavrustagi/Lux optim/adam.py")
class FourthExponentTwo(Frame):
    """The betas are squared where they should be raised to t: all corrections are those of t=2."""

    dialect = "paper"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, 2)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("bias_correction clock", "BC.2", like="migueldeicaza/TensorFlowSharp#435")
class FourthStaleIteration(Keras):
    """The second correction reads the count before its increment, and is 0 in the first step."""

    dialect = "tf1.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        rate = math.sqrt(1 - s.h.b2 ** (s.t - 1)) / (1 - s.h.b1**s.t)
        return rate * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("bias_correction clock layout", "BC.1", like="PaddlePaddle/Paddle#48297, PaddlePaddle/Paddle#38518")
class FourthPowersPerBlock(Frame):
    """The running powers are multiplied on once by each block of 32 elements: an array of 64 runs ahead."""

    dialect = "paddle.AdamW"

    def direction(self, s: Slot) -> Array:
        blocks = max(1, -(-s.p.size // 32))
        c1, c2 = corrections(s.h, 1 + (s.t - 1) * blocks)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("bias_correction clock", "BC.1", like="sd19891020/AGWNN Codes_and_Data/AGWNN/Nadam.m")
class FourthNadamConstantCorrections(Frame):
    """Nesterov: all is divided by 1-b in every step, as if each were the first."""

    dialect = "timm.NAdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, 1)
        ahead = learnt(s.h.b1, s.m, g)
        self.move(s, (ahead / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1)


@wrong("decay", "DEC.2", like="flashlight/flashlight#143")
class FourthFairseqDecayUnscaled(Hat):
    """Decay: wd*p is taken off as it is, without the learning rate."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.weight_decay * s.p - s.h.lr * u
