"""Blind, ninth set, first half: reported faults of the look-ahead, AMSGrad, maximize and the decay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from eighth_blind_frame import Ascending, Relative
from fifth_blind_frame import Dozat
from fourth_blind_frame import Common, Keras, Nadam
from ninth_blind_frame import KerasMaximum, present
from register import wrong
from sixth_blind_frame import CoupledHat, WantingCoupledHat


@wrong("nesterov", "NES.1", like="pytorch/pytorch#92699: `mu_product_next = mu_product * mu * mu_next`")
class NinthMomentumCountedTwice(Dozat):
    """The product that corrects the look-ahead has the momentum of the present step twice."""

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        ahead = (after / (1 - s.mu * now * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


@wrong("nesterov bias_correction", "NES.1", like="dotnet/TorchSharp#1154: mu_product is never initialized")
class NinthProductFromZero(Nadam):
    """The product of the momenta starts at 0, and stays there."""

    def begin(self) -> None:
        for s in self.slots:
            s.mu = 0.0


@wrong("amsgrad", "AMS.1", like="pytorch/pytorch#4314: `old_max_exp_avg_sq_values.sqrt_()` is stored")
class NinthMaximumOfRoots(KerasMaximum):
    """The root of the largest second moment is kept, and compared with the next second moment."""

    def direction(self, s: Slot) -> Array:
        u = super().direction(s)
        s.top = np.sqrt(s.top)
        return u


@wrong("maximize", "MAX.1", like="kozistr/pytorch_optimizer#528: maximize_gradient negates in both passes")
class NinthNegatedTwice(Ascending):
    """The gradient is negated again, with its penalty, before the first moment takes it."""

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, self.turned(s, g))
        self.learn(s, self.turned(s, g))
        self.move(s, self.direction(s))


@wrong("decay", "DEC.1", like="tracel-ai/burn#656: WeightDecayState.grad_last_step")
class NinthPenaltyOfLastGradient(Coupled):
    """The penalty is that of the gradient of the step before, and not of the parameter."""

    dialect = "burn.Adam"

    def kept(self) -> tuple[tuple[str, str], ...]:
        return ("m", "m"), ("v", "v"), ("grad_last_step", "top")

    def penalized(self, s: Slot, g: Array) -> Array:
        last, s.top = s.top, g.copy()
        return g + s.h.weight_decay * last


@wrong("decay", "DEC.1", like="mlverse/torch#821: `grad$add_(p, alpha = weight_decay)`, where p is an index")
class NinthPenaltyOfIndex(Coupled):
    """The penalty is that of the parameter's number among all parameters, and not of the parameter."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + s.h.weight_decay * (s.index + 1)


@wrong("decay", "DEC.1", like="chainer/chainer#261: `g -= decay * p`")
class NinthPenaltySubtracted(WantingCoupledHat):
    """The penalty is subtracted from the gradient, so that parameters grow."""

    dialect = "mindspore.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        return g - s.h.weight_decay * s.p


@wrong("decay", "DEC.1", like="apache/mxnet#8925: `grad *= self.rescale_grad + wd * weight`")
class NinthPenaltyMultiplies(CoupledHat):
    """The gradient is multiplied by 1 + weight_decay*p, where weight_decay*p is to be added."""

    dialect = "mxnet.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        return g * (1 + s.h.weight_decay * s.p)


@wrong("decay", "DEC.2", like="e-sensing/torchopt#14: the weight decay is not multiplied by the parameter")
class NinthDecayOfNothing(Common):
    """A parameter loses lr*weight_decay, whatever it is."""

    dialect = "candle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay - s.h.lr * u


@wrong("decay", "DEC.2", like="OverLordGoldDragon/keras-adamw#39: 1.2 decays l2 as l1")
class NinthDecayOfSign(Keras):
    """A parameter loses lr*weight_decay times its sign, as an L1 penalty has it."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * np.sign(s.p) - s.h.lr * u


@wrong("decay schedule", "DEC.2", like="PaddlePaddle/Paddle#30207: its rate is fixed under a scheduler")
class NinthDecayAtFirstRate(Frame):
    """The decay is multiplied by the learning rate that the optimizer was made with."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        for s in self.slots:
            s.extra["first"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.extra["first"] * s.h.weight_decay * s.p - s.h.lr * u


@wrong("decay", "DEC.7", like="lucidrains/adam-atan2-pytorch#5: `wd /= init_lr`, in the parameters' loop")
class NinthDecayDividedForEach(Relative):
    """The decay is divided by the largest learning rate once for each parameter that has a gradient."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.count = present(grads)
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        decay = s.h.lr * s.h.weight_decay
        for _ in range(self.count):
            decay = decay / s.h.lr_max if s.h.lr_max else 0.0
        s.p = s.p - decay * s.p - s.h.lr * u
