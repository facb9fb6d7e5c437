"""The frames of the sixth blind set: right Adams of dialects that the other frames leave out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Refusing
from fourth_blind_frame import FOUR, Common, Hat


class CoupledHat(Coupled, Hat):
    """Epsilon hat and L2, as PyTorch had them up to 1.2."""

    dialect = "torch-1.2.Adam"


class Wanting(Refusing):
    """Algorithm 1 without decay: one clock, and every gradient has to be given."""

    dialect = "autograd.adam"
    hyper = FOUR


class WantingHat(Refusing, CommonHat):
    """The same with epsilon hat."""

    dialect = "sklearn.Adam"
    hyper = FOUR


class WantingCoupledHat(CoupledHat, Refusing):
    """The same with L2."""

    dialect = "onnx.Adam"


class ZerosHat(Hat):
    """Dr.Jit's Adam: epsilon hat, no decay, and what is absent is zero."""

    dialect = "drjit.Adam"
    hyper = FOUR

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.zeros_like(s.p))


class SameTime(Frame):
    """timm's NAdamW: a look-ahead with one correction."""

    dialect = "timm.NAdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (self.ahead(s) / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.extra["g"] = g.copy()

    def ahead(self, s: Slot) -> Array:
        return s.h.b1 * s.m + (1 - s.h.b1) * np.asarray(s.extra["g"])


class Unscaled(Common):
    """Epsilon hat, one clock, and a decay without learning rate, as TensorFlow Addons had it."""

    dialect = "tfa.AdamW"

    def admit(self, grads: Any) -> None:
        if self.slots and all(g is None for g in grads):
            raise ValueError("no gradients are given for any variable")

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.weight_decay * s.p - s.h.lr * u


class Running(Frame):
    """AdamW that keeps the powers of its betas as products; betas cannot be changed."""

    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra.update(self.powers(s))

    def powers(self, s: Slot) -> dict[str, float]:
        """Return the products for the present clock, when a state comes without them."""
        return {"power1": s.h.b1**s.t, "power2": s.h.b2**s.t}

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.extra["power1"] *= s.h.b1
        s.extra["power2"] *= s.h.b2

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if {"b1", "b2"} & hyper.keys():
            raise NotImplementedError("the products belong to their betas")
        super().set_hyper(hyper)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "extra" not in state:
            self.begin()

    def left(self, s: Slot) -> tuple[float, float]:
        return 1 - s.extra["power1"], 1 - s.extra["power2"]

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1
