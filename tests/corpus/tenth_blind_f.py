"""Blind, tenth set: right Adams in the state layouts of their frameworks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Hyper, Slot, flat
from fourth_blind_frame import FOUR, Common
from register import right, wrong
from tenth_blind_frame_b import CoupledHat, Wanting


@right()
class TenthRightLazyDict:
    """MXNet's Adam: an updater with dicts by index, whose entries are made by the first gradient."""

    dialect = "mxnet.Adam"
    complex: ClassVar[bool] = True

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        self.weights = [p.copy() for p in params]
        self.hyper = Hyper()
        self.hyper.read(hyper)
        self.states: dict[int, tuple[Array, Array]] = {}
        self.counts: dict[int, int] = {}

    def set_lr(self, lr: float) -> None:
        self.hyper.lr = lr

    def get_state(self) -> dict[str, Any]:
        return {"_index_update_count": dict(self.counts), "states": dict(self.states)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.counts = dict(state["_index_update_count"])
        self.states = {i: (mean.copy(), var.copy()) for i, (mean, var) in state["states"].items()}

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        with np.errstate(all="ignore"):
            for index, grad in enumerate(grads):
                if grad is not None:
                    self.update(index, grad)
        return [w.copy() for w in self.weights]

    def update(self, index: int, grad: Array) -> None:
        h, weight = self.hyper, flat(self.weights[index]).copy()
        mean, var = self.states.get(index, (np.zeros_like(weight), np.zeros_like(weight)))
        t = self.counts[index] = self.counts.get(index, 0) + 1
        g = flat(grad) + h.weight_decay * weight
        mean = h.b1 * mean + (1 - h.b1) * g
        var = h.b2 * var + ((1 - h.b2) * g) * g
        self.states[index] = mean, var
        lr = h.lr * math.sqrt(1 - h.b2**t) / (1 - h.b1**t)
        weight -= lr * (mean / (np.sqrt(var) + h.eps))
        old = self.weights[index]
        self.weights[index] = weight.view(old.dtype).reshape(old.shape)


@wrong("missing clock", "F1", like="powers that are multiplied before a gradient is found to be absent")
class TenthPowersTickFirst(Wanting):
    """tinygrad's AdamW, but its powers of the betas are multiplied before an absent gradient is refused."""

    dialect = "tinygrad.AdamW"

    def begin(self) -> None:
        self.b1_t = self.b2_t = 1.0

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if {"b1", "b2"} & hyper.keys():
            raise NotImplementedError("the powers that are kept are those of the betas at the start")
        super().set_hyper(hyper)

    def get_state(self) -> dict[str, Any]:
        arrays = {name: [self.shaped(s, getattr(s, name)) for s in self.slots] for name in ("m", "v")}
        return {"b1_t": self.b1_t, "b2_t": self.b2_t, **arrays}

    def set_state(self, state: dict[str, Any]) -> None:
        if "b1_t" in state:
            self.b1_t, self.b2_t = state["b1_t"], state["b2_t"]
        elif self.slots:
            h, t = self.slots[0].h, state["t"][0]
            self.b1_t, self.b2_t = h.b1**t, h.b2**t
        for i, s in enumerate(self.slots):
            s.m, s.v = (flat(np.asarray(state[name][i])).copy() for name in ("m", "v"))

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.slots:
            self.b1_t *= self.slots[0].h.b1
            self.b2_t *= self.slots[0].h.b2
        super().all(grads)

    def direction(self, s: Slot) -> Array:
        return (s.m / (1 - self.b1_t)) / (np.sqrt(s.v) / math.sqrt(1 - self.b2_t) + s.h.eps)

    init_groups = None  # type: ignore[assignment]  # its powers are those of one pair of betas

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        super().init_groups(params, [hyper] * len(params))


@right()
class TenthRightEpsilonScaled(Coupled):
    """Paddle's Adam: the corrections are folded into the rate, and epsilon is multiplied by sqrt(1-b2**t)."""

    dialect = "paddle.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - s.h.b1**s.t, 1 - s.h.b2**s.t
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps * math.sqrt(c2)))


@right()
class TenthRightOneBuffer(Common):
    """apex' FusedAdam over one buffer: rows end to end, taken in chunks of seven, and one count."""

    dialect = "apex.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
        pairs = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        pieces = [(s, g, start) for s, g in pairs for start in range(0, s.p.size, 7)]
        for s, g, start in pieces:
            part = slice(start, start + 7)
            chunk = Slot(s.index, s.h, (), s.dtype, s.p[part], s.m[part], s.v[part], s.top[part], s.t)
            self.update(chunk, g[part])
            s.p[part], s.m[part], s.v[part] = chunk.p, chunk.m, chunk.v


@right()
class TenthRightLists(CoupledHat, Wanting):
    """scikit-learn's Adam: lists of moments that are made anew in each step, and one integer."""

    dialect = "sklearn.Adam"
    hyper: ClassVar[tuple[str, ...]] = FOUR

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        rows = [flat(g) for g in grads if g is not None]
        ms = [s.h.b1 * s.m + (1 - s.h.b1) * g for s, g in zip(self.slots, rows, strict=True)]
        vs = [s.h.b2 * s.v + (1 - s.h.b2) * g * g for s, g in zip(self.slots, rows, strict=True)]
        for s, m, v in zip(self.slots, ms, vs, strict=True):
            self.tick(s)
            s.m, s.v = m, v
            self.move(s, self.direction(s))
