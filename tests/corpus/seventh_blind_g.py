"""Blind, seventh set: right Adams of the papers' and of fused optimizers' dialects, in other forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CorrectedRate, Refusing
from fourth_blind_frame import Common
from register import right
from seventh_blind_frame import Cautious, Holding, Unread


@right()
class SeventhRightDeepSpeed(Holding):
    """DeepSpeed's fused AdamW: where the list is not empty, it is stepped in two launches, odd and even."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if all(g is None for g in grads):
            return
        for s in self.slots:
            self.tick(s)
        for first in (1, 0):
            for s, g in list(zip(self.slots, grads, strict=True))[first::2]:
                if g is not None:
                    self.update(s, self.taken(g))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (s.h.weight_decay * s.p + u)


@right()
class SeventhRightTransformerEngine(Common):
    """Transformer Engine's AdamW: tiles of eight elements, in which parameter and moments take turns."""

    dialect = "transformer_engine.FusedAdam"

    def update(self, s: Slot, g: Array) -> None:
        count = s.p.size
        tiles = np.zeros((-(-count // 8), 4, 8), s.p.dtype)
        for i, row in enumerate((s.p, g, s.m, s.v)):
            padded = np.concatenate([row, np.zeros(-count % 8, row.dtype)])
            tiles[:, i] = padded.reshape(-1, 8)
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        p, y, m, v = (tiles[:, i] for i in range(4))
        m[...] = h.b1 * m + (1 - h.b1) * y
        v[...] = h.b2 * v + ((1 - h.b2) * y) * y
        p -= h.lr * ((m / (np.sqrt(v) / math.sqrt(c2) + h.eps)) / c1 + h.weight_decay * p)
        s.p, s.m, s.v = (tiles[:, i].reshape(-1)[:count] for i in (0, 2, 3))


@right()
class SeventhRightBitsandbytes(Frame):
    """bitsandbytes' CUDA kernel: the updated parameter is multiplied by what the decay leaves of it."""

    dialect = "bitsandbytes-cuda.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m = s.m * h.b1 + (1 - h.b1) * g
        s.v = s.v * h.b2 + ((1 - h.b2) * g) * g
        root2 = math.sqrt(c2)
        size = -h.lr * root2 / c1
        moved = s.p + size * (s.m / (np.sqrt(s.v) + h.eps * root2))
        s.p = moved * (1 - h.lr * h.weight_decay) if h.weight_decay > 0 else moved


@right()
class SeventhRightOptimi(Common):
    """optimi's Adam with decouple_wd: what belongs to a parameter is found in dictionaries, by number."""

    dialect = "optimi.Adam"
    options = {"decouple_wd": "True"}  # noqa: RUF012

    def begin(self) -> None:
        self.book: dict[str, dict[int, Array]] = {"grad": {}, "exp_avg": {}, "exp_avg_sq": {}}

    def update(self, s: Slot, g: Array) -> None:
        self.book["grad"][s.index] = g
        self.book["exp_avg"][s.index] = s.m
        self.book["exp_avg_sq"][s.index] = s.v
        for name, b in (("exp_avg", s.h.b1), ("exp_avg_sq", s.h.b2)):
            new = (1 - b) * self.book["grad"][s.index]
            new = new if name == "exp_avg" else new * self.book["grad"][s.index]
            self.book[name][s.index] = b * self.book[name][s.index] + new
        s.m, s.v = self.book["exp_avg"].pop(s.index), self.book["exp_avg_sq"].pop(s.index)
        self.move(s, self.direction(s))


@right()
class SeventhRightUnread(Unread):
    """The AMSGrad of its paper: the greatest root is kept as well, and is drawn only where it has grown."""

    def direction(self, s: Slot) -> Array:
        grown = ~(s.v <= s.top)
        s.top = np.where(grown, s.v, s.top)
        root = np.asarray(s.extra.get("root", np.sqrt(s.top))).copy()
        root[grown] = np.sqrt(s.v[grown])
        s.extra["root"] = root
        return s.m / root

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.extra.pop("root", None)


@right()
class SeventhRightCautious(Cautious):
    """Cautious AdamW: the signs' bits are compared, and what is 0 is let through by itself."""

    def mask(self, s: Slot, u: Array) -> Array:
        same = np.signbit(u) == np.signbit(s.p)
        return same | (u == 0) | (s.p == 0) | np.isnan(u)

    def move(self, s: Slot, u: Array) -> None:
        p, chosen = s.p.copy(), self.mask(s, u)
        np.subtract(p, (s.h.lr * s.h.weight_decay) * p, out=p, where=chosen)
        s.p = p - s.h.lr * u


@right()
class SeventhRightContrib(CorrectedRate):
    """Apex' first fused Adam: the corrected rate multiplies a bracket of quotient and decay."""

    dialect = "apex.contrib.FusedAdam"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        rate = s.h.lr * math.sqrt(c2) / c1
        s.p = s.p - rate * (s.m / (np.sqrt(s.v) + s.h.eps) + s.h.weight_decay * s.p)


@right()
class SeventhRightLlmC(Refusing):
    """llm.c's AdamW: parameters and moments of all arrays lie in one arena of bytes, through views."""

    dialect = "llm.c.AdamW"

    def begin(self) -> None:
        self.arena = np.zeros(3 * sum(s.p.nbytes for s in self.slots), np.uint8)
        self.starts = [0, *np.cumsum([s.p.nbytes for s in self.slots]).tolist()]
        for s in self.slots:
            x, m, v = self.views(s)
            x[...], m[...], v[...] = s.p, s.m, s.v
            s.p, s.m, s.v = x, m, v

    def views(self, s: Slot) -> list[Array]:
        whole, start = self.starts[-1], self.starts[s.index]
        parts = (self.arena[i * whole + start :][: s.p.nbytes] for i in range(3))
        return [part.view(s.p.dtype) for part in parts]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            _, m, v = self.views(s)
            m[...], v[...] = s.m, s.v
            s.m, s.v = m, v

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m *= h.b1
        s.m += (1 - h.b1) * g
        s.v *= h.b2
        s.v += ((1 - h.b2) * g) * g
        s.p -= h.lr * ((s.m / (np.sqrt(s.v) / math.sqrt(c2) + h.eps)) / c1 + h.weight_decay * s.p)


@right()
class SeventhRightTorchoptAscent(Coupled):
    """torchopt's Adam to maximize: the penalty is taken from the gradient, and what is left is negated."""

    dialect = "torchopt.Adam"
    options = {"maximize": "True"}  # noqa: RUF012

    def penalized(self, s: Slot, g: Array) -> Array:
        return -(g - s.h.weight_decay * s.p)
