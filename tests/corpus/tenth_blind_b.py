"""Blind, tenth set: reports of a wrong epsilon, of numbers that are not used, of signs and look-aheads."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from eighth_blind_frame import Ascending
from fourth_blind_frame import FOUR, Hat, Keras, Nadam
from register import wrong
from tenth_blind_frame import Corrected, ModulusPlain


@wrong("epsilon", "EPS.1", like="FluxML/Flux.jl#448: √(vt / (1 - β2p) + ϵ)")
class TenthEpsilonUnderRoot(ModulusPlain):
    """Epsilon stands under the root, beside the corrected second moment."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v + s.h.eps * c2) / math.sqrt(c2))) / c1


@wrong("epsilon", "EPS.2", like="tensorflow/tensorflow#61407: sqrt(v) - coefficients['epsilon']")
class TenthEpsilonTakenAway(Keras):
    """Epsilon is taken away from the root, and not added."""

    dialect = "tf_keras.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) - s.h.eps))


@wrong("epsilon", "EPS.1", like="kozistr/pytorch_optimizer#480: rsqrt_().add_(eps)")
class TenthEpsilonBesideReciprocal(Frame):
    """Epsilon is added to the reciprocal of the root, and not to the root."""

    dialect = "timm.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m * (1 / (np.sqrt(s.v) / math.sqrt(c2)) + s.h.eps)) / c1


@wrong("epsilon", "EPS.1", like="d2l-ai/d2l-en#2691: lr * v / sqrt(s) + eps, without parentheses")
class TenthEpsilonBesideQuotient(Corrected):
    """The step is divided by the root alone, and epsilon is added to the parameter."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2))) / c1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u + s.h.eps


@wrong("epsilon", "EPS.1", like="PaddlePaddle/Paddle#28325: epsilon lacks its sqrt(1 - beta2_pow)")
class TenthEpsilonHat(Coupled):
    """Epsilon is compared with the root of the second moment before that is corrected."""

    dialect = "paddle.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("hyperparameters", "LR.3", like="deeplearning4j/deeplearning4j#2705: ADAM does not use epsilon")
class TenthOwnEpsilon(Hat):
    """Epsilon is 1e-8, whatever is given."""

    dialect = "paper.eps-hat"
    hyper = FOUR

    def begin(self) -> None:
        for s in self.slots:
            s.h.eps = 1e-8

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for s in self.slots:
            s.h.eps = 1e-8


@wrong("hyperparameters", "LR.3", like="Nerogar/OneTrainer#153: betas are missing for Adam of 8 bits")
class TenthOwnBetas(Frame):
    """The betas are 0.9 and 0.999, whatever is given."""

    dialect = "bitsandbytes.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.h.b1, s.h.b2 = 0.9, 0.999

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for s in self.slots:
            s.h.b1, s.h.b2 = 0.9, 0.999


@wrong("maximize decay", "MAX.1", like="pytorch/pytorch#68164: maximize turns lr, and not the gradient")
class TenthRateTurned(Ascending):
    """To maximize, the whole step is turned, with the penalty in it, which then pushes away from 0."""

    dialect = "torch.Adam"

    def turned(self, s: Slot, g: Array) -> Array:
        return g

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + s.h.lr * u


@wrong("maximize", "MAX.1", like="pytorch/pytorch#11678: caffe2 has param_o = param + grad_o")
class TenthStepAdded(Hat):
    """The step is added to the parameter, and not subtracted."""

    dialect = "paper.eps-hat"
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + s.h.lr * u


@wrong("nesterov", "NES.1", like="keras-team/keras#15710: the kernel's use_nesterov has no schedule")
class TenthLookaheadWithoutSchedule(Nadam):
    """The look-ahead has b1 in the place of the schedule, and one correction for both of its terms."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        ahead = (s.h.b1 * s.m + (1 - s.h.b1) * g) / c1
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps))
