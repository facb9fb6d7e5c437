"""Blind, eleventh set: reports of wrong moments and of wrong corrections."""

from __future__ import annotations

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import CommonHat, Plain
from register import wrong
from seventh_blind_frame import Sonnet
from sixth_blind_frame import CoupledHat, Wanting, WantingHat


@wrong("moments", "MOM.1", like="mbadry1/DeepLearning.ai-Summary#119: both terms of vdW have dW")
class EleventhGradientForOldMoment(WantingHat):
    """The first moment averages the gradient with itself, and so has no memory."""

    dialect = "qiskit.ADAM"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * g + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("moments", "MOM.2", like="mbadry1/DeepLearning.ai-Summary#121: sdW begins with beta2 times dW")
class EleventhGradientForOldSquares(Wanting):
    """The second moment averages the gradient, where its old value belongs, and the gradient's square."""

    dialect = "quimb.ADAM"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * g + ((1 - s.h.b2) * g) * g


@wrong("moments hyperparameters", "MOM.1", like="mila-iqia/blocks#1176: 1 - beta stands where beta is meant")
class EleventhBetasWeighTheNew(Wanting):
    """Each beta is the weight of what is new, in the averages and in their corrections."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * g + (1 - s.h.b1) * s.m
        s.v = (s.h.b2 * g) * g + (1 - s.h.b2) * s.v

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - (1 - b) ** s.t for b in (s.h.b1, s.h.b2))
        number = s.m.dtype.type
        return (s.m / number(c1)) / (np.sqrt(s.v / number(c2)) + s.h.eps)


@wrong("moments", "MOM.2", like="NACLab/ngc-learn#24: g2 is zeros at the begin of each update")
class EleventhSquaresBeginAnew(Wanting):
    """The second moment begins at 0 in every step, and the first goes on."""

    dialect = "jax_example.adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.v = np.zeros_like(s.v)
        super().learn(s, g)


@wrong("moments", "MOM.2", like="LiyuanLucasLiu/RAdam#69: the paper has 1/beta2 for beta2")
class EleventhSquaresDividedByBeta(CoupledHat):
    """The old second moment is divided by b2, and not multiplied: it grows."""

    dialect = "torch-1.2.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.v / s.v.dtype.type(s.h.b2) + ((1 - s.h.b2) * g) * g


@wrong("bias_correction", "BC.1", like="gorse-io/gorse#918: alpha is not corrected at all")
class EleventhNothingCorrected(CoupledHat):
    """No moment is corrected."""

    dialect = "dlib.adam"
    hyper = ("lr", "b1", "b2", "weight_decay")

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong("bias_correction clock", "CLK.2", like="deeplearning4j/nd4j#1227: t starts from 0, and alphat is NaN")
class EleventhCorrectedFromZero(CommonHat):
    """The corrections of each step are those of the step before, and the first ones are 0."""

    dialect = "pennylane.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = (np.float64(c) for c in corrections(s.h, s.t - 1))
        return float(np.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("clock bias_correction", "CLK.2", like="cs231n/cs231n.github.io#179: t is 1 before the first step")
class EleventhCountsFromOne(Plain):
    """The count is 1 at the start and is raised before use, so that the first update has t=2."""

    dialect = "numpy_ml.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.t = 1


@wrong("bias_correction", "BC.2", like="Gurupradeep/deeplearning.ai-Assignments#1: s in place of s_corrected")
class EleventhSecondUncorrected(Sonnet):
    """The second moment is used as it is, and its corrected value is not."""

    def direction(self, s: Slot) -> Array:
        return (s.m / (np.sqrt(s.v) + s.h.eps)) / corrections(s.h, s.t)[0]
