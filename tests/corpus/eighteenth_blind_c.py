"""Blind, eighteenth set: right Adams in NumPy, in structures and orders of evaluation of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Modulus
from fourth_blind_frame import Nadam, lookahead
from register import right
from seventh_blind_frame import Cautious, Holding, InsideCorrected


@right()
class EighteenthRightRowsOfTable(Holding):
    """DeepSpeed's FusedAdam: both moments are rows of one table, which a column of betas multiplies."""

    def begin(self) -> None:
        self.tables = [np.stack([s.m, s.v]) for s in self.slots]
        self.show()

    def show(self) -> None:
        for s, table in zip(self.slots, self.tables, strict=True):
            s.m, s.v = table

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def update(self, s: Slot, g: Array) -> None:
        table, (c1, c2) = self.tables[s.index], corrections(s.h, s.t)
        betas = np.array([[s.h.b1], [s.h.b2]])
        weights = (1 - betas).astype(g.dtype)
        table *= betas.astype(g.dtype)
        new = weights * g
        new[1] *= g
        table += new
        scaled = table[0] / (np.sqrt(table[1]) + s.h.eps * math.sqrt(c2))
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay) - (s.h.lr * math.sqrt(c2) / c1) * scaled


@right()
class EighteenthRightTwoSteps(Nadam):
    """Keras' Nadam in two steps over one root: that of the gradient first, and then that of the moment."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        h, c2 = s.h, corrections(s.h, s.t)[1]
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        below = np.sqrt(s.v)
        below /= math.sqrt(c2)
        below += h.eps
        stays = s.p - (h.lr * h.weight_decay) * s.p
        by_gradient = (h.lr * (1 - now) / (1 - s.mu)) * (g / below)
        by_moment = (h.lr * after / (1 - s.mu * after)) * (s.m / below)
        s.p = (stays - by_gradient) - by_moment


@right()
class EighteenthRightRootOfRatio(InsideCorrected):
    """tiny-dnn's Adam: epsilon is multiplied by the correction under an inverse root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        inverse = np.power(s.v + s.h.eps * c2, -0.5)
        return np.asarray((math.sqrt(c2) / c1) * (s.m * inverse))


@right()
class EighteenthRightDecayWhere(Cautious):
    """Cautious AdamW: what decays is found by comparing each factor with 0, and is decayed by ``where=``."""

    def move(self, s: Slot, u: Array) -> None:
        away = ((u > 0) & (s.p < 0)) | ((u < 0) & (s.p > 0))
        step = s.h.lr * u
        np.add(step, (s.h.lr * s.h.weight_decay) * s.p, out=step, where=~away)
        s.p = s.p - step


@right()
class EighteenthRightPlanes(Modulus):
    """Optimisers.jl's AdamW over planes: those of real and of imaginary parts, and one of their squares."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        parts = 2 if s.dtype.kind == "c" else 1
        p, d, m = (a.reshape(-1, parts).T.copy() for a in (s.p, g, s.m))
        v = s.v[::parts] * h.b2
        for plane in d:
            v += ((1 - h.b2) * plane) * plane
        m *= h.b1
        m += d * (1 - h.b1)
        p -= h.lr * (m / ((np.sqrt(v) / math.sqrt(c2) + h.eps) * c1) + h.weight_decay * p)
        s.p, s.m = (np.ascontiguousarray(a.T).reshape(-1) for a in (p, m))
        s.v = np.repeat(v, parts)
