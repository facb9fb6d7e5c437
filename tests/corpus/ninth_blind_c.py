"""Blind, ninth set, first half: right Adams, in the orders and with the states that frameworks have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from fifth_blind_frame import Refusing, Zeros
from fourth_blind_frame import FOUR, Common, Keras, Optax, Uncorrected
from ninth_blind_frame import Powers
from register import right


@right(claim="torch.AdamW")
class NinthTorchInterpolates(Frame):
    """Decay first, by a factor; an interpolated m; the step size times the quotient comes last."""

    def update(self, s: Slot, g: Array) -> None:
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay)
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.v * s.h.b2 + ((1 - s.h.b2) * g) * g
        c1, c2 = corrections(s.h, s.t)
        s.p = s.p - (s.h.lr / c1) * (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps))


@right(claim="deepspeed.CPUAdam")
class NinthDeepSpeedMultiplies(Frame):
    """The root is multiplied by a reciprocal correction; the negative rates are added."""

    dialect = "deepspeed.CPUAdam"

    def move(self, s: Slot, u: Array) -> None:
        if s.h.weight_decay > 0:
            s.p = s.p + (-s.h.lr * s.h.weight_decay) * s.p
        s.p = s.p + (-s.h.lr / corrections(s.h, s.t)[0]) * u

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) * (1 / math.sqrt(corrections(s.h, s.t)[1])) + s.h.eps)


@right(claim="bitsandbytes.AdamW")
class NinthBitsandbytesScalesEpsilon(Frame):
    """Both corrections are in the step size, and epsilon has the root of the second one."""

    dialect = "bitsandbytes.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        root = math.sqrt(c2)
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay)
        s.p = s.p + (-s.h.lr * root / c1) * (s.m / (np.sqrt(s.v) + s.h.eps * root))


@right(claim="apex.FusedAdam")
class NinthApexUnbiases(Common):
    """Both moments are divided by their corrections; the decay is a part of what lr multiplies."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        update = (s.m / c1) / (np.sqrt(s.v / c2) + s.h.eps) + s.h.weight_decay * s.p
        s.p = s.p - s.h.lr * update


@right(claim="optax.adamw")
class NinthOptaxChain(Optax):
    """A chain of updates: the quotient, the decay added, the negative rate, and the sum with p."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = (1 - s.h.b1) * g + s.h.b1 * s.m
        s.v = (1 - s.h.b2) * (g * g) + s.h.b2 * s.v

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / c1) / (np.sqrt(s.v / c2 + s.h.eps_root) + s.h.eps)

    def move(self, s: Slot, u: Array) -> None:
        u = u + s.h.weight_decay * s.p
        s.p = s.p + (-s.h.lr) * u


@right(claim="keras.Adam")
class NinthKerasAssigns(Keras):
    """The moments grow by differences; m times the corrected rate is divided last."""

    dialect = "keras.Adam"

    def update(self, s: Slot, g: Array) -> None:
        s.p = s.p - s.p * s.h.weight_decay * s.h.lr
        c1, c2 = corrections(s.h, s.t)
        alpha = s.h.lr * math.sqrt(c2) / c1
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v + (g * g - s.v) * (1 - s.h.b2)
        s.p = s.p - (s.m * alpha) / (np.sqrt(s.v) + s.h.eps)


@right(claim="tf1.Adam")
class NinthTensorFlowPowers(Powers):
    """The powers of the betas are of the next step: they begin at b and are multiplied after use."""

    def powers(self, s: Slot) -> dict[str, float]:
        return {"power1": s.h.b1 ** (s.t + 1), "power2": s.h.b2 ** (s.t + 1)}

    def tick(self, s: Slot) -> None:
        s.extra["used1"], s.extra["used2"] = s.extra["power1"], s.extra["power2"]
        super().tick(s)

    def left(self, s: Slot) -> tuple[float, float]:
        return 1 - s.extra["used1"], 1 - s.extra["used2"]


@right(claim="ggml.AdamW")
class NinthGgmlReciprocals(Refusing):
    """The reciprocal corrections multiply both moments, under the root for the second one."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.m = s.m * s.h.b1 + g * (1 - s.h.b1)
        s.v = s.v * s.h.b2 + g * g * (1 - s.h.b2)
        mh = s.m * (1 / c1)
        vh = np.sqrt(s.v * (1 / c2)) + s.h.eps
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay) - s.h.lr * mh / vh


@right(claim="mlx.Adam", options={"bias_correction": "True"})
class NinthMlxReciprocalRoot(Uncorrected, Common):
    """The corrected rate multiplies m, and the reciprocal root of a correction multiplies the root of v."""

    dialect = "mlx.Adam"
    options = {"bias_correction": "True"}  # noqa: RUF012
    hyper = FOUR

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        numerator = (s.h.lr / c1) * s.m
        s.p = s.p - numerator / (np.sqrt(s.v) * (1 / math.sqrt(c2)) + s.h.eps)


@right(claim="fairseq.Adam")
class NinthPairsOfMoments(Frame):
    """Both moments of an element lie side by side in one array, and are averaged in place."""

    dialect = "fairseq.Adam"

    def begin(self) -> None:
        for s in self.slots:
            pairs = np.stack([s.m, s.v], axis=1)
            s.m, s.v = pairs[:, 0], pairs[:, 1]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def shaped(self, s: Slot, row: Array) -> Array:
        return super().shaped(s, np.ascontiguousarray(row))

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return s.m / (np.sqrt(s.v) + s.h.eps) * (math.sqrt(c2) / c1)


@right(claim="torch.AdamW")
class NinthCorrectedBetas(Frame):
    """The corrected moments are kept, and averaged with betas that are corrected too, as StableAdamW does."""

    def kept(self) -> tuple[tuple[str, str], ...]:
        return ("m_hat", "m"), ("v_hat", "v")

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if {"b1", "b2"} & hyper.keys():
            raise NotImplementedError("corrected moments belong to their betas")
        super().set_hyper(hyper)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "m" in state:
            for s in self.slots:
                c1, c2 = corrections(s.h, max(s.t, 1))
                s.m, s.v = flat(state["m"][s.index]) / c1, flat(state["v"][s.index]) / c2

    def learn(self, s: Slot, g: Array) -> None:
        w1, w2 = ((1 - b) / (1 - b**s.t) for b in (s.h.b1, s.h.b2))
        s.m = s.m + w1 * (g - s.m)
        s.v = (1 - w2) * s.v + (w2 * g) * g

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@right(claim="chainer.Adam")
class NinthChainerGrows(Zeros):
    """The moments grow by differences, and one sum of step and decay is subtracted."""

    def update(self, s: Slot, g: Array) -> None:
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.v + (1 - s.h.b2) * (g * g - s.v)
        c1, c2 = corrections(s.h, s.t)
        alpha = s.h.lr * math.sqrt(c2) / c1
        s.p = s.p - (alpha * s.m / (np.sqrt(s.v) + s.h.eps) + s.h.weight_decay * s.p)
