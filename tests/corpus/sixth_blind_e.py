"""Blind, sixth set: right Adams that keep powers, or belong to axes of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import FIVE, Array, Frame, Slot
from fifth_blind_frame import Modulus, Refusing
from fourth_blind_frame import FOUR, Common, Keras
from register import right
from sixth_blind_frame import Running, Wanting, WantingCoupledHat


@right()
class SixthRightTinygrad(Running, Refusing):
    """tinygrad's AdamW: two powers are kept; quotient and decay are added up before the rate comes in."""

    dialect = "tinygrad.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (u + s.h.weight_decay * s.p)


@right()
class SixthRightTensorFlow(Running, Keras):
    """TensorFlow 1: the powers begin at the betas, are read in the step and multiplied on after it."""

    dialect = "tf1.Adam"
    hyper = FOUR

    def powers(self, s: Slot) -> dict[str, float]:
        return {"power1": s.h.b1 ** (s.t + 1), "power2": s.h.b2 ** (s.t + 1)}

    def tick(self, s: Slot) -> None:
        s.t += 1

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            s.extra["power1"] *= s.h.b1
            s.extra["power2"] *= s.h.b2

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return (s.m * (math.sqrt(c2) / c1)) / (np.sqrt(s.v) + s.h.eps)


@right()
class SixthRightTfjs(Running, Common):
    """TensorFlow.js: the new value is the old one plus a quotient times the negative rate."""

    dialect = "tfjs.Adam"
    hyper = FOUR

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = self.left(s)
        below = np.sqrt(s.v) / math.sqrt(c2)
        s.p = (s.m / c1) / (below + s.h.eps) * -s.h.lr + s.p


@right()
class SixthRightMindspore(Running, WantingCoupledHat):
    """MindSpore's Adam: the penalty is added on the fly, and one rate holds both powers."""

    dialect = "mindspore.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return np.divide(s.m, np.sqrt(s.v) + s.h.eps) * (math.sqrt(c2) / c1)


@right()
class SixthRightJulia(Running, Modulus):
    """Optimisers.jl' AdamW with couple=false: a chain of two rules, of which the second decays."""

    dialect = "optimisers_jl.AdamW"
    options = {"couple": "False"}  # noqa: RUF012

    def move(self, s: Slot, u: Array) -> None:
        change = s.h.lr * u
        change = change + s.h.weight_decay * s.p
        s.p = s.p - change


@right()
class SixthRightBurnCautious(Frame):
    """burn's cautious AdamW: those that decay are gathered by their indices, and put back."""

    dialect = "burn.AdamW"
    options = {"cautious_weight_decay": "True"}  # noqa: RUF012

    def move(self, s: Slot, u: Array) -> None:
        p = s.p.copy()
        chosen = np.flatnonzero(np.sign(u) * np.sign(p) >= 0)
        p[chosen] -= (s.h.lr * s.h.weight_decay) * p[chosen]
        s.p = p - s.h.lr * u


@right()
class SixthRightFlash(Frame):
    """FlashOptim's AdamW with decouple_lr: the fraction of the rate multiplies the decay."""

    dialect = "flashoptim.FlashAdamW"
    options = {"decouple_lr": "True"}  # noqa: RUF012
    hyper = (*FIVE, "lr_max")

    def move(self, s: Slot, u: Array) -> None:
        fraction = s.h.lr / s.h.lr_max if s.h.lr_max else 0.0
        np.subtract(s.p, (fraction * s.h.weight_decay) * s.p, out=s.p)
        np.subtract(s.p, s.h.lr * u, out=s.p)


@right()
class SixthRightAdamC(Frame):
    """AdamC: quotient and decay stand in one bracket, the decay with the ratio of the rates."""

    dialect = "paper.AdamC"
    hyper = (*FIVE, "lr_max")

    def move(self, s: Slot, u: Array) -> None:
        ratio = s.h.lr / s.h.lr_max if s.h.lr_max else 0.0
        s.p = s.p - s.h.lr * (u + (ratio * s.h.weight_decay) * s.p)


@right()
class SixthRightEvotorch(Wanting):
    """evotorch's Adam: the moments are of the gradient as it comes, and the step is added."""

    dialect = "evotorch.adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + s.h.lr * u

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {**state, "m": [-m for m in state["m"]]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "m": [-np.asarray(m) for m in state["m"]]} if "m" in state else state)
