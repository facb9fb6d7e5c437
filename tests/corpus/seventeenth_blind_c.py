"""Blind, seventeenth set: right Adams in NumPy, in structures and orders of evaluation of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Zeros
from fourteenth_blind_frame_b import Squared
from ninth_blind_frame_b import Single
from register import right
from sixth_blind_frame import SameTime
from twelfth_blind_frame import RunningWanting


@right()
class SeventeenthRightRecords(Single):
    """AdamW whose parameters are arrays of records: value, average and square of an element side by side."""

    dialect = "torch.AdamW"

    def build(self) -> None:
        self.steps = [0 for _ in self.params]
        self.tables = []
        for p in self.params:
            table = np.zeros(p.shape, [("value", p.dtype), ("average", p.dtype), ("square", p.dtype)])
            table["value"] = p
            self.tables.append(table)

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, (table, g) in enumerate(zip(self.tables, grads, strict=True)):
            if g is not None:
                self.steps[i] += 1
                self.record(table, g, self.steps[i])
        self.params = [table["value"].copy() for table in self.tables]

    def record(self, table: Array, g: Array, t: int) -> None:
        c1, c2 = self.corrections(t)
        table["average"] = table["average"] * self.b1 + g * (1 - self.b1)
        table["square"] = table["square"] * self.b2 + g * (1 - self.b2) * g
        below = np.sqrt(table["square"]) + self.eps * math.sqrt(c2)
        step = table["average"] / below * (self.lr * math.sqrt(c2) / c1)
        table["value"] = table["value"] * (1 - self.lr * self.weight_decay) - step

    def column(self, name: str) -> list[Array]:
        return self.together([table[name] for table in self.tables])

    def get_state(self) -> dict[str, Any]:
        return {"t": list(self.steps), "m": self.column("average"), "v": self.column("square")}

    def set_state(self, state: dict[str, Any]) -> None:
        self.steps = self.clocks(state)
        for name, kept in (("average", "m"), ("square", "v")):
            for table, a in zip(self.tables, self.taken(state[kept]), strict=True):
                table[name] = a


@right()
class SeventeenthRightShareOfOld(Squared):
    """AdamC that first forms what stays of a parameter, and then takes a step with three factors off it."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m = s.m - (1 - h.b1) * (s.m - g)
        s.v = s.v - (1 - h.b2) * s.v + (g * (1 - h.b2)) * g
        share = h.lr / h.lr_max if h.lr_max else 0.0
        stays = s.p - (share * h.weight_decay * h.lr) * s.p
        direction = s.m / (np.sqrt(s.v) * c2**-0.5 + h.eps)
        s.p = stays - (h.lr / c1) * direction


@right()
class SeventeenthRightAbsentWithoutZeros(Zeros):
    """Chainer's Adam: what is absent needs no array of zeros, since averages only lose their share."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        s.m, s.v = s.h.b1 * s.m, s.h.b2 * s.v
        self.move(s, self.direction(s))

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.p = s.p - (s.h.lr * math.sqrt(c2) / c1 * u + s.h.weight_decay * s.p)


@right()
class SeventeenthRightBlocksAhead(SameTime):
    """timm's NAdamW in blocks of 48 elements, each with all operations in a small buffer of its own."""

    block = 48

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        buffer = np.empty(min(self.block, s.p.size), s.p.dtype)
        for at in range(0, s.p.size, self.block):
            here = slice(at, at + self.block)
            self.one(s, here, g[here], buffer[: s.p[here].size], (s.h.lr / c1, math.sqrt(c2)))

    def one(self, s: Slot, here: slice, g: Array, buffer: Array, factors: tuple[float, float]) -> None:
        h, m, v, p = s.h, s.m[here], s.v[here], s.p[here]
        np.multiply(g, 1 - h.b1, out=buffer)
        m *= h.b1
        m += buffer
        ahead = h.b1 * m + buffer
        np.multiply(g, 1 - h.b2, out=buffer)
        buffer *= g
        v *= h.b2
        v += buffer
        np.sqrt(v, out=buffer)
        buffer /= factors[1]
        buffer += h.eps
        np.divide(ahead, buffer, out=buffer)
        buffer *= factors[0]
        p *= 1 - h.lr * h.weight_decay
        p -= buffer


@right()
class SeventeenthRightMomentsAsOneComplex(RunningWanting):
    """MindSpore's Adam whose two moments are the parts of one complex array, which decay by views."""

    def update(self, s: Slot, g: Array) -> None:
        g = np.add(s.p * s.h.weight_decay, g)
        both = self.both(s)
        both.real += (g - both.real) * (1 - s.h.b1)
        both.imag *= s.h.b2
        both.imag += g * ((1 - s.h.b2) * g)
        s.m, s.v = both.real.copy(), both.imag.copy()
        c1, c2 = self.left(s)
        s.p = s.p - (s.h.lr * math.sqrt(c2)) * (both.real / (c1 * (np.sqrt(both.imag) + s.h.eps)))

    def both(self, s: Slot) -> Array:
        whole = np.empty(s.p.shape, np.result_type(s.p.dtype, np.complex64))
        whole.real, whole.imag = s.m, s.v
        return whole
