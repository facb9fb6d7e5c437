"""Blind, eleventh set: reports of a wrong epsilon, of a wrong decay, of rates and of rounded numbers."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fifth_blind_frame import Modulus, Refusing
from fourth_blind_frame import Common, Keras, Uncorrected
from register import wrong
from seventh_blind_frame import PaperAdamW
from sixth_blind_frame import CoupledHat, Running, Wanting


@wrong("epsilon", "EPS.2", like="CyberZHG/keras-radam#29: epsilon is used inside the root")
class EleventhEpsilonInside(Keras):
    """Epsilon joins the corrected second moment, under the root."""

    dialect = "keras.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v + s.h.eps * c2) / math.sqrt(c2))) / c1


@wrong("epsilon", "EPS.1", like="mlcommons/training_policies#95: sqrt(vt + epsilon ** 2) for hardware's sake")
class EleventhEpsilonSquaredInside(Uncorrected):
    """The square of epsilon stands under the root, in the place of epsilon beside it."""

    def direction(self, s: Slot) -> Array:
        return s.m / np.sqrt(s.v + s.h.eps * s.h.eps)


@wrong("decay", "DEC.2", like="FluxML/Optimisers.jl#182: WeightDecay adds λ*x, and eta is within Adam")
class EleventhDecayBehindRate(Modulus):
    """The decay is chained behind the learning rate, which so does not multiply it."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr * u + s.h.weight_decay * s.p)


@wrong("decay", "DEC.3", like="FluxML/Flux.jl#1868: the learning rate came behind the decay, by mistake")
class EleventhDecayBeforeRate(PaperAdamW):
    """The learning rate is chained behind the decay, and multiplies what it should not."""

    def share(self, s: Slot) -> float:
        return s.h.lr * s.h.weight_decay


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like="juntang-zhuang/Adabelief-Optimizer#33: the gradient decays after its use",
)
class EleventhPenaltyTooLate(Coupled):
    """The penalty joins the gradient when both moments have learned from it, and so has no effect."""

    dialect = "burn.Adam"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        self.penalized(s, g)
        self.move(s, self.direction(s))


@wrong(
    "schedule", "LR.1", like="oysteijo/simd_neuralnet#78: each step shrinks the rate that the last one left"
)
class EleventhRateShrinksOn(Wanting):
    """The learning rate is divided by 1 + 1e-4*t in each step anew, and the quotient is kept."""

    dialect = "brain_js.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra["left"] = 1.0

    def set_hyper(self, hyper: dict[str, float]) -> None:
        before = [s.h.lr for s in self.slots]
        super().set_hyper(hyper)
        for s, lr in zip(self.slots, before, strict=True):
            s.extra["left"] = s.extra["left"] if s.h.lr == lr else 1.0

    def move(self, s: Slot, u: Array) -> None:
        s.extra["left"] /= 1 + 1e-4 * (s.t - 1)
        s.p = s.p - s.h.lr * float(s.extra["left"]) * u


@wrong("schedule", "LR.1", like="EleutherAI/gpt-neox#1379: start_lr * 0 / warmup_iter in the first step")
class EleventhFirstRateIsZero(Common):
    """A warm-up that counts from 0 makes the learning rate of the first step 0."""

    dialect = "transformer_engine.FusedAdam"

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr * min(s.t - 1, 1)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong("schedule hyperparameters", "LR.1", like="tinygrad/tinygrad#4297: lr is kept in half precision")
class EleventhRateInHalf(Refusing):
    """The learning rate is a float16, for parameters of every dtype."""

    dialect = "tinygrad.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        lr = float(np.float16(s.h.lr))
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong("coefficients", "NUM.4", like="dmlc/MXNet.jl#10: beta1Power and beta2Power are Float32")
class EleventhPowersInSingle(Running, CoupledHat):
    """The powers of the betas are products in float32, and so are the corrections, in every dtype."""

    dialect = "mxnet.Adam"

    def tick(self, s: Slot) -> None:
        s.t += 1
        for name, b in (("power1", s.h.b1), ("power2", s.h.b2)):
            s.extra[name] = float(np.float32(s.extra[name] * b))

    def direction(self, s: Slot) -> Array:
        c1, c2 = (float(np.float32(c)) for c in self.left(s))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))
