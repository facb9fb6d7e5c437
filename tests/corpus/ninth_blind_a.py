"""Blind, ninth set, first half: reported faults of the moments, of the step and of what corrects it."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Plain, Refusing
from fourth_blind_frame import FOUR, Common
from ninth_blind_frame import AscendingWanting
from register import wrong
from sixth_blind_frame import SameTime, Wanting, WantingHat


@wrong("moments", "MOM.1", like="PennyLaneAI/pennylane#1928: the first moments lack their 1-b")
class NinthFirstGradientUnweighted(CommonHat):
    """In the first step the moments become the gradient and its square, without the weights 1-b."""

    dialect = "pennylane.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        if s.t == 1:
            s.m, s.v = g.copy(), g * g
        else:
            super().learn(s, g)


@wrong("moments", "MOM.1", like="dngfra/Restricted-Boltzmann-Machines#2: zeros in every call")
class NinthMomentumStartsAnew(Plain):
    """The first moment is set to 0 before each step, so that it holds the present gradient alone."""

    dialect = "numpy_ml.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = np.zeros_like(s.m)
        super().learn(s, g)


@wrong("moments", "MOM.2", like="ShigekiKarita/grain#15: `m2 = moment1[name]`")
class NinthSecondMomentOfFirst(Common):
    """The second moment goes on from the old first moment, and not from its own old value."""

    dialect = "tfjs.Adam"
    hyper = FOUR

    def learn(self, s: Slot, g: Array) -> None:
        s.v = s.m
        super().learn(s, g)


@wrong("moments", "STEP.1", like="IGITUGraz/L2L#105: the update is multiplied by the gradient")
class NinthStepTimesGradient(AscendingWanting):
    """A step is multiplied by the present gradient."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        self.move(s, -(self.direction(s) * g))


@wrong("moments", "STEP.1", like="gorgonia/gorgonia#494: Div(mHats, vHats, WithIncr(w)), then Add(w, mHats)")
class NinthMomentAddedToStep(Wanting):
    """Besides its step, a parameter loses the corrected first moment, times lr, which nothing has divided."""

    dialect = "quimb.ADAM"

    def direction(self, s: Slot) -> Array:
        return super().direction(s) + s.m / corrections(s.h, s.t)[0]


@wrong("moments", "STEP.1", like="oracle/tribuo#401: multiplied by the squared gradient accumulator")
class NinthTimesTheRoot(WantingHat):
    """A step is multiplied by root and epsilon, and not divided by them."""

    dialect = "qiskit.ADAM"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m * (np.sqrt(s.v) + s.h.eps))


@wrong(
    "moments", "STEP.1",
    like="replikativ/raster#233: the parameter's update observes moments that are stored already",
)  # fmt: skip
class NinthStepAveragesAgain(Refusing):
    """The step uses both moments after the gradient has entered them twice; the state is right."""

    dialect = "ggml.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        m, v = s.m, s.v
        self.learn(s, g)
        u = self.direction(s)
        s.m, s.v = m, v
        self.move(s, u)


@wrong("schedule", "LR.1", like="kelvinxu/arctic-captions#34: `lr0 = 0.0002`, whatever lr is given")
class NinthRateOfItsOwn(CommonHat):
    """The learning rate is 0.0002, whatever is given."""

    dialect = "river.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - 2e-4 * u


@wrong("bias_correction clock", "BC.1", like="eriklindernoren/ML-From-Scratch#35: `m / (1 - b1)`")
class NinthCorrectionWithoutClock(Wanting):
    """The moments are divided by 1-b in every step, and not by 1-b**t."""

    dialect = "autograd.adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, 1)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("bias_correction", "BC.1", like="FluxML/Flux.jl#119: √(1 - β2p) / √(1 - β1p)")
class NinthRootOfBothCorrections(Wanting):
    """The first moment is divided by the root of 1-b1**t, as the second one rightly is."""

    dialect = "jax_example.adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / math.sqrt(c1)


@wrong(
    "bias_correction moments", "BC.3",
    like="deeplearning4j/nd4j#1891: `m.muli(beta1).divi(1.0 - beta1t)`, where mul is meant",
)  # fmt: skip
class NinthLookAheadStored(SameTime):
    """The moment that looks ahead, b1*m corrected, takes the place of the first moment in the state."""

    def direction(self, s: Slot) -> Array:
        u = super().direction(s)
        s.m = s.h.b1 * s.m / corrections(s.h, s.t)[0]
        return u


@wrong("epsilon", "EPS.1", like="kozistr/pytorch_optimizer#397: `exp_avg_sq.add(eps).sqrt_().add_(eps)`")
class NinthEpsilonTwice(Frame):
    """Epsilon is added to the second moment, under the root, and to the root again."""

    dialect = "fastai.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v + s.h.eps) / math.sqrt(c2) + s.h.eps)) / c1
