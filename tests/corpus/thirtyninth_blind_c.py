"""Blind, thirty-ninth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from fifth_blind_frame import Later
from fourth_blind_frame import Keras, Optax
from register import right


@right(claim="torch.AdamW")
class ThirtyNinthRightScratch(Frame):
    """AdamW by chunks of three elements, in place, with two scratch arrays that all arrays share."""

    size = 3

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        for begin in range(0, s.p.size, self.size):
            own = slice(begin, begin + self.size)
            self.chunk(s.h, (s.p[own], g[own], s.m[own], s.v[own]), c1, math.sqrt(c2))

    def chunk(self, h: Any, arrays: tuple[Array, ...], c1: float, root: float) -> None:
        p, g, m, v = arrays
        a, b = np.empty_like(p), np.empty_like(p)
        np.multiply(g, 1 - h.b1, out=a)
        m *= h.b1
        m += a
        np.multiply(g, 1 - h.b2, out=a)
        a *= g
        v *= h.b2
        v += a
        np.sqrt(v, out=a)
        a /= root
        a += h.eps
        np.divide(m, a, out=b)
        b *= h.lr / c1
        np.multiply(p, h.lr * h.weight_decay, out=a)
        p -= a
        p -= b


@right(claim="keras.AdamW")
class ThirtyNinthRightVariables(Keras):
    """Keras' AdamW as assignments to variables: the decay first, then averages by their differences."""

    def update(self, s: Slot, g: Array) -> None:
        h, variables = s.h, {"variable": s.p, "momentum": s.m, "velocity": s.v}
        c1, c2 = corrections(h, s.t)

        def assign_add(name: str, change: Array) -> None:
            variables[name] = variables[name] + change

        assign_add("variable", -(h.lr * h.weight_decay) * variables["variable"])
        assign_add("momentum", (1 - h.b1) * (g - variables["momentum"]))
        assign_add("velocity", ((1 - h.b2) * g) * g - (1 - h.b2) * variables["velocity"])
        alpha = h.lr * math.sqrt(c2) / c1
        assign_add("variable", -alpha * (variables["momentum"] / (np.sqrt(variables["velocity"]) + h.eps)))
        s.p, s.m, s.v = (variables[name] for name in ("variable", "momentum", "velocity"))


@right(claim="transformers4.AdamW")
class ThirtyNinthRightStateByName(Later):
    """transformers' AdamW whose state is a dictionary of each parameter; it decays what it has stepped."""

    names = (("exp_avg", "m"), ("exp_avg_sq", "v"))

    def get_state(self) -> dict[str, Any]:
        own = [{name: self.shaped(s, getattr(s, a)) for name, a in self.names} for s in self.slots]
        return {"by_name": {f"p{s.index}": {"step": s.t, **own[s.index]} for s in self.slots}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "by_name" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            own = state["by_name"][f"p{s.index}"]
            s.t = int(own["step"])
            for name, a in self.names:
                setattr(s, a, flat(np.asarray(own[name])).copy())

    def move(self, s: Slot, u: Array) -> None:
        s.p = (s.p - s.h.lr * u) * (1 - s.h.lr * s.h.weight_decay)


@right(claim="optax.adamw")
class ThirtyNinthRightPowersOfLogarithms(Optax):
    """optax' AdamW with corrections by expm1 of logarithms, and one change for step and decay."""

    def left(self, beta: float, t: int) -> float:
        return -math.expm1(t * math.log(beta)) if beta else 1.0

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        c1, c2 = self.left(h.b1, s.t), self.left(h.b2, s.t)
        s.m = h.b1 * s.m + (1 - h.b1) * g
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        below = np.sqrt(s.v + h.eps_root * c2) / math.sqrt(c2) + h.eps
        s.p = s.p - h.lr * (s.m / below / c1 + h.weight_decay * s.p)
