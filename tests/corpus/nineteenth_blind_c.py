"""Blind, nineteenth set: right Adams in NumPy, in structures and orders of evaluation of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from eighth_blind_frame import Relative
from fourth_blind_frame import Common
from ninth_blind_frame_b import Single
from register import right
from sixth_blind_frame import SameTime, Unscaled


@right()
class NineteenthRightFromOldMoment(SameTime):
    """timm's NAdamW: the look-ahead is made of the old moment and the gradient, with weights of two steps."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        faded = h.b1 * s.m
        ahead = h.b1 * faded + ((1 - h.b1) * (1 + h.b1)) * g
        s.m = faded + (1 - h.b1) * g
        s.v = h.b2 * s.v + g * ((1 - h.b2) * g)
        below = (np.sqrt(s.v) / math.sqrt(c2) + h.eps) * c1
        s.p = s.p - h.lr * (h.weight_decay * s.p + ahead / below)


@right()
class NineteenthRightRecords(Common):
    """candle's AdamW over an array of records: each number stands beside its two moments in memory."""

    dialect = "candle.AdamW"

    def begin(self) -> None:
        self.tables = [self.table(s) for s in self.slots]
        for s, table in zip(self.slots, self.tables, strict=True):
            s.p, s.m, s.v = (table[name] for name in ("p", "m", "v"))

    def table(self, s: Slot) -> Array:
        table = np.empty(s.p.size, [(name, s.p.dtype) for name in ("p", "m", "v")])
        table["p"], table["m"], table["v"] = s.p, s.m, s.v
        return table

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def shaped(self, s: Slot, row: Array) -> Array:
        return super().shaped(s, np.ascontiguousarray(row))

    def update(self, s: Slot, g: Array) -> None:
        table, h, (c1, c2) = self.tables[s.index], s.h, corrections(s.h, s.t)
        table["m"] += (1 - h.b1) * (g - table["m"])
        table["v"] *= h.b2
        table["v"] += ((1 - h.b2) * g) * g
        table["p"] *= 1 - h.lr * h.weight_decay
        root = math.sqrt(c2)
        table["p"] -= (h.lr * root / c1) * (table["m"] / (np.sqrt(table["v"]) + h.eps * root))


@right()
class NineteenthRightVariables(Single):
    """Keras' Adam over one list of variables: a step gathers assignments, and then makes them."""

    dialect = "keras.Adam"
    iterations = 0

    def build(self) -> None:
        self.iterations = 0
        self.variables = [zeros for pair in zip(self.zeros(), self.zeros(), strict=True) for zeros in pair]

    def all(self, grads: Sequence[Array | None]) -> None:
        given = [(i, g) for i, g in enumerate(grads) if g is not None]
        if not given and self.params:
            raise ValueError("no gradients are given for any variable")
        t = self.iterations + 1
        c1, c2 = self.corrections(t)
        alpha = self.lr * math.sqrt(c2) / c1
        assignments: list[tuple[list[Array], int, Array]] = []
        for i, g in given:
            m, v = self.variables[2 * i : 2 * i + 2]
            m = m + (g - m) * (1 - self.b1)
            v = v + (((1 - self.b2) * g) * g - v * (1 - self.b2))
            value = self.params[i] - self.params[i] * (self.weight_decay * self.lr)
            value = value - (m / (np.sqrt(v) + self.eps)) * alpha
            assignments += [
                (self.variables, 2 * i, m),
                (self.variables, 2 * i + 1, v),
                (self.params, i, value),
            ]
        for variables, i, value in assignments:
            variables[i] = value
        self.iterations = t if self.params else self.iterations

    def get_state(self) -> dict[str, Any]:
        m, v = (self.together(self.variables[k::2]) for k in range(2))
        return {"t": self.iterations, "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.iterations = max(self.clocks(state), default=0)
        for k, name in enumerate(("m", "v")):
            self.variables[k::2] = self.taken(state[name])


@right()
class NineteenthRightWhereRoot(Unscaled):
    """TensorFlow Addons' AdamW: the moment is divided only where its root and epsilon are not 0."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        np.multiply(s.m, h.b1, out=s.m)
        np.add(s.m, (1 - h.b1) * g, out=s.m)
        np.multiply(s.v, h.b2, out=s.v)
        np.add(s.v, ((1 - h.b2) * g) * g, out=s.v)
        below = np.sqrt(s.v)
        below += h.eps
        quotient = np.zeros_like(below)
        np.divide(s.m, below, out=quotient, where=below != 0)
        quotient *= h.lr * math.sqrt(c2) / c1
        quotient += h.weight_decay * s.p
        s.p = s.p - quotient


@right()
class NineteenthRightSizeAndSign(Relative):
    """FlashOptim's AdamW: the size of a step is formed first, and then has the sign of the moment."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m = h.b1 * s.m + (1 - h.b1) * g
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        size = np.fabs(s.m)
        size /= np.sqrt(s.v) / math.sqrt(c2) + h.eps
        size *= h.lr / c1
        s.p = (1 - self.fraction(s) * h.weight_decay) * s.p - np.copysign(size, s.m)
