"""Blind, twelfth set: reports of a wrong epsilon, of a wrong decay, of rates and of rounded numbers."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fourth_blind_frame import Common, Uncorrected
from ninth_blind_frame import Powers
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import CoupledHat
from tenth_blind_frame import Undecayed
from twelfth_blind_frame import RunningCoupled


@wrong(
    "epsilon hyperparameters", "EPS.2", like="OpenMined/PySyft#740: 1e-8 has too many digits and becomes 0"
)
class TwelfthEpsilonOfSevenDigits(CoupledHat):
    """Epsilon is rounded to seven digits behind the point, so that 1e-8 is 0."""

    dialect = "pyro.ClippedAdam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + round(s.h.eps, 7)))


@wrong("epsilon", "EPS.2", like="tensorflow/tensorflow#22876: sqrt(max(v, epsilon**2))")
class TwelfthEpsilonAsFloor(Powers):
    """The square of epsilon is a floor for the second moment, in the place of epsilon beside the root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return (math.sqrt(c2) / c1) * (s.m / np.sqrt(np.maximum(s.v, s.h.eps**2)))


@wrong("epsilon", "EPS.2", like="keras-team/keras#14035: epsilon times sqrt(1 - beta_2^t)")
class TwelfthEpsilonShrunk(Undecayed):
    """Epsilon is multiplied by the root of the correction, and so is that of Algorithm 1."""

    dialect = "tf_keras.legacy.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps * math.sqrt(c2)))


@wrong("decay", "DEC.2", like="modern-fortran/neural-fortran#152: the decay lacks the learning rate")
class TwelfthDecayOfPaper(Common):
    """The decay is not multiplied by the learning rate."""

    dialect = "candle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u - s.h.weight_decay * s.p


@wrong("decay hyperparameters", "DEC.2", like="fastai/fastai2#246: the list with weight_decay is replaced")
class TwelfthDecayReplaced(Frame):
    """A list of callbacks takes the place of the one that held the decay: nothing decays."""

    dialect = "fastai.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong("schedule", "LR.1", like="ooples/AiDotNet#1470: the fused step has the rate of its first call")
class TwelfthRateOfCommit(Common):
    """The learning rate is that of the first step, which was compiled with it."""

    dialect = "transformer_engine.FusedAdam"

    def move(self, s: Slot, u: Array) -> None:
        lr = float(s.extra.setdefault("lr", s.h.lr))
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "schedule clock bias_correction",
    "CLK.2",
    like="ooples/AiDotNet.Tensors#549: a graph that is replayed has the step and the rate of its capture",
)
class TwelfthGraphReplayed(Holding):
    """Clock and learning rate are those of the first step in all that follow, which replay it."""

    def tick(self, s: Slot) -> None:
        if "lr" not in s.extra:
            s.t += 1
            s.extra["lr"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        lr = float(s.extra["lr"])
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong("schedule", "LR.1", like="huggingface/transformers#132: the step is larger than t_total")
class TwelfthRateBeyondTotal(Uncorrected):
    """A linear schedule of a hundred steps is left in, after whose end the rate is negative."""

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr * (1 - (s.t - 1) / 100)
        s.p = s.p - lr * (u + s.h.weight_decay * s.p)


@wrong("coefficients", "NUM.4", like="PaddlePaddle/Paddle#58378: float32 products stray from pow(0.9, 101)")
class TwelfthProductsInSingle(RunningCoupled):
    """The powers of the betas are products in float32, for parameters of every dtype."""

    def tick(self, s: Slot) -> None:
        s.t += 1
        for name, b in (("power1", s.h.b1), ("power2", s.h.b2)):
            s.extra[name] = float(np.float32(s.extra[name]) * np.float32(b))
