"""Blind, sixth set: slips in corrections, epsilon and the precision of settings."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Modulus, Refusing
from fourth_blind_frame import FOUR, Common, Keras
from register import wrong
from sixth_blind_frame import Wanting, WantingCoupledHat, WantingHat


@wrong("bias_correction", "BC.1", like="EurekaLabsAI/micrograd#2")
class SixthMicrogradUncorrected(Wanting):
    """Neither moment is corrected, where both should be."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong("bias_correction", "BC.2", like="kozistr/pytorch_optimizer#159")
class SixthRateWithoutSecond(WantingHat):
    """The rate is divided by the first correction, and lacks the root of the second one."""

    def direction(self, s: Slot) -> Array:
        return (s.m / (np.sqrt(s.v) + s.h.eps)) / corrections(s.h, s.t)[0]


@wrong("bias_correction clock", "BC.1", like="tinygrad/tinygrad#13600")
class SixthTinygradPowersAhead(Refusing):
    """The powers begin at the betas and are multiplied on before use: they are one step ahead."""

    dialect = "tinygrad.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t + 1)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("bias_correction", "BC.1", like="onnx/onnx: Adam of ai.onnx.preview.training at T=0")
class SixthFirstUncorrected(WantingCoupledHat):
    """The first update is not corrected, and all later ones are."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps) if s.t == 1 else super().direction(s)


@wrong("bias_correction", "BC.1", like="a tutorial's 1 - 0.9**t beside betas that are arguments")
class SixthCorrectionsOfDefaults(CommonHat):
    """The corrections are those of 0.9 and 0.99, whatever the betas are."""

    dialect = "pennylane.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - 0.9**s.t, 1 - 0.99**s.t
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("bias_correction", "BC.2", like="FluxML/Optimisers.jl src/rules.jl: a pair of powers times a scalar")
class SixthJuliaPowersOfFirst(Modulus):
    """Both powers, which begin at their betas, are multiplied on by the first beta."""

    dialect = "optimisers_jl.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)[0], 1 - s.h.b2 * s.h.b1 ** (s.t - 1)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("bias_correction", "BC.2", like="karpathy/convnetjs#107, mended by half")
class SixthSecondMultiplied(Wanting):
    """The second moment is multiplied by its correction, where the first one is divided."""

    dialect = "toygrad.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) * math.sqrt(c2) + s.h.eps)) / c1


@wrong("epsilon", "EPS.1", like="a bracket: v.sqrt() / (bias_correction2.sqrt() + eps)")
class SixthEpsilonBesideCorrection(Frame):
    """Epsilon is added to the root of the correction, and not to the root of the second moment."""

    dialect = "paddle.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / (math.sqrt(c2) + s.h.eps))) / c1


@wrong("epsilon hyperparameters", "EPS.2", like="deeplearning4j/deeplearning4j#2705")
class SixthKerasEpsilonOfBackend(Keras):
    """Epsilon is that of the backend, 1e-7, and the one that is given is not read."""

    dialect = "keras.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + 1e-7))


@wrong("epsilon", "EPS.1", like="tensorflow/tensorflow#35102")
class SixthCandleEpsilonHat(Common):
    """Both corrections are folded into the rate, and epsilon is left as it was."""

    dialect = "candle.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("hyperparameters", "NUM.4", like="apache/mxnet src/operator/optimizer_op-inl.h: float beta1, beta2")
class SixthBetasInSingle(Refusing):
    """The betas are float32, also beside moments of float64."""

    dialect = "mindspore.AdamWeightDecay"

    def learn(self, s: Slot, g: Array) -> None:
        b1, b2 = (float(np.float32(b)) for b in (s.h.b1, s.h.b2))
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + ((1 - b2) * g) * g

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong("epsilon", "EPS.1", like="FluxML/Flux.jl#448")
class SixthFluxEpsilonInside(Modulus):
    """Epsilon is added to the corrected second moment, under the root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / np.sqrt(s.v / c2 + s.h.eps)) / c1
