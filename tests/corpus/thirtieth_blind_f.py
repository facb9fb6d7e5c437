"""Blind, thirtieth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Slot
from fifth_blind_frame import Modulus
from fourth_blind_frame import Keras
from register import right
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame_b import Stored


@right()
class ThirtiethBRightRescaled(CoupledHat):
    """MXNet's Adam as it was mended: the decay joins the rescaled gradient, and all goes on in place."""

    dialect = "mxnet.Adam"
    rescale_grad = 1.0

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        grad = g * self.rescale_grad
        grad += h.weight_decay * s.p
        s.m *= h.b1
        s.m += (1.0 - h.b1) * grad
        s.v *= h.b2
        s.v += ((1.0 - h.b2) * grad) * grad
        lr = h.lr * math.sqrt(1.0 - h.b2**s.t) / (1.0 - h.b1**s.t)
        s.p -= lr * (s.m / (np.sqrt(s.v) + h.eps))


@right()
class ThirtiethBRightPolicy(Stored):
    """Adam as a policy object for each array, which holds its moments and its iteration itself."""

    dialect = "paper.eps-hat"

    class Policy:
        def __init__(self, s: Slot) -> None:
            self.parent = s

        def update(self, gradient: Array) -> None:
            s, h = self.parent, self.parent.h
            s.m = s.m + (1 - h.b1) * (gradient - s.m)
            s.v = s.v * h.b2 + (gradient * (1 - h.b2)) * gradient
            correction1, correction2 = 1.0 - h.b1**s.t, 1.0 - h.b2**s.t
            s.p = s.p - (h.lr * math.sqrt(correction2) / correction1) * (s.m / (np.sqrt(s.v) + h.eps))

    def begin(self) -> None:
        self.policies = [self.Policy(s) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        self.policies[s.index].update(g)


@right()
class ThirtiethBRightLeaves(Modulus):
    """Optimisers.jl' AdamW, whose state is a list of leaves, each a tuple of mt, vt and t."""

    dialect = "optimisers_jl.AdamW"

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        return {"leaves": list(zip(whole["m"], whole["v"], whole["t"], strict=True))}

    def set_state(self, state: dict[str, Any]) -> None:
        if "leaves" in state:
            state = {name: [leaf[k] for leaf in state["leaves"]] for k, name in enumerate("mvt")}
        super().set_state(state)


@right()
class ThirtiethBRightSevens(Keras):
    """Keras' AdamW in pieces of seven elements, by views of the rows and one scratch of seven."""

    dialect = "keras.AdamW"
    piece = 7

    def update(self, s: Slot, g: Array) -> None:
        h, scratch = s.h, np.empty(self.piece, s.p.dtype)
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        for begin in range(0, s.p.size, self.piece):
            part = slice(begin, begin + self.piece)
            p, m, v, d = (row[part] for row in (s.p, s.m, s.v, g))
            own = scratch[: p.size]
            m += (d - m) * (1 - h.b1)
            np.multiply(d, 1 - h.b2, out=own)
            own *= d
            v *= h.b2
            v += own
            np.sqrt(v, out=own)
            own += h.eps
            np.divide(m, own, out=own)
            own *= rate
            p *= 1 - h.lr * h.weight_decay
            p -= own
