"""Blind, tenth set: reports of wrong moments and of wrong corrections."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from eighth_blind_frame import CommonUncorrected
from fourth_blind_frame import FOUR, Common
from register import wrong
from sixth_blind_frame import CoupledHat, Wanting, WantingHat
from tenth_blind_frame import GreatestHat, Undecayed


@wrong("moments", "MOM.2", like="fastai/fastbook#342: sqr_avg lacks its (1-sqr_mom)")
class TenthSquaresAtFullWeight(Frame):
    """The squares of gradients join the second moment without the weight 1-b2."""

    dialect = "fastai.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + g * g


@wrong("moments", "STEP.1", like="torch/optim#48: pow(v, 2), where sqrt(v) is meant")
class TenthSquareForRoot(CoupledHat):
    """The step is divided by the square of the second moment, and not by its root."""

    dialect = "torch-1.2.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (s.v * s.v + s.h.eps))


@wrong("moments", "MOM.2", like="stockeh/mlx-optimizers#43: v is formed of parameters")
class TenthSquaresOfParameters(CommonUncorrected):
    """The second moment averages the squares of the parameters, and not of the gradients."""

    dialect = "mlx.Adam"
    hyper = FOUR

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * s.p) * s.p


@wrong("moments", "MOM.1", like="ryankiros/skip-thoughts#82: 1-beta in the averages, beta in lr_t")
class TenthWeightsChangePlaces(WantingHat):
    """In both moments b weighs the new gradient, and 1-b the old average; the corrections are right."""

    dialect = "sklearn.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = (1 - s.h.b1) * s.m + s.h.b1 * g
        s.v = (1 - s.h.b2) * s.v + (s.h.b2 * g) * g


@wrong("bias_correction", "BC.1", like="karpathy/convnetjs#70: estimates are multiplied by 1-beta**k")
class TenthTimesCorrections(Wanting):
    """Both moments are multiplied by their corrections, and not divided by them."""

    dialect = "brain_js.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m * c1) / (np.sqrt(s.v) * math.sqrt(c2) + s.h.eps)


@wrong("bias_correction", "BC.2", like="kozistr/AdaBound-tensorflow#3: sqrt(1. - bias_correction2)")
class TenthOneMinusTwice(Undecayed):
    """The correction of the second moment is taken from 1 twice, which leaves b2**t."""

    dialect = "tf_keras.legacy.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(1 - c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("bias_correction", "BC.3", like="frgfm/holocron#1: exp_avg is corrected in place")
class TenthFirstMomentStaysCorrected(Coupled):
    """The corrected first moment is kept, and the next step averages and corrects that."""

    dialect = "torch.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.m = s.m / c1
        return s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


@wrong("bias_correction hyperparameters", "BC.3", like="steveKapturowski/tensorflow-rl#20: lr.value is set")
class TenthRateStaysCorrected(Undecayed):
    """The corrected learning rate takes the place of the given one, and the next step corrects it again."""

    dialect = "tf1.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra["corrected"] = 1.0

    def set_hyper(self, hyper: dict[str, float]) -> None:
        before = [s.h.lr for s in self.slots]
        super().set_hyper(hyper)
        for s, lr in zip(self.slots, before, strict=True):
            s.extra["corrected"] = s.extra["corrected"] if s.h.lr == lr else 1.0

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.extra["corrected"] *= math.sqrt(c2) / c1
        return float(s.extra["corrected"]) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("bias_correction", "BC.2", like="juntang-zhuang/Adabelief-Optimizer#47: bias_correction1 for both")
class TenthFirstCorrectionForBoth(Common):
    """The second moment is divided by 1-b1**t, the correction of the first."""

    dialect = "optimi.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, _ = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c1) + s.h.eps)) / c1


@wrong("bias_correction", "BC.1", like="online-ml/river#185: in AMSGrad m is not corrected as in Adam")
class TenthGreatestWithoutFirst(GreatestHat):
    """The first moment is not corrected, beside a greatest second moment that is."""

    def direction(self, s: Slot) -> Array:
        return super().direction(s) * corrections(s.h, s.t)[0]
