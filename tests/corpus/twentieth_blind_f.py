"""Blind, twentieth set: right Adams in one vector, in chunks, in buffers and in closures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Later
from fourth_blind_frame import Keras
from ninth_blind_frame_b import Single
from register import right
from seventh_blind_frame import Holding


@right(claim="keras.AdamW")
class TwentiethBRightOneVector(Keras):
    """Keras' AdamW over one vector for each dtype, beside which settings are vectors of the same length."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        given: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                given.setdefault(s.p.dtype, []).append((s, self.taken(g)))
        for pairs in given.values():
            self.vector([s for s, _ in pairs], np.concatenate([g for _, g in pairs]))

    def vector(self, slots: Sequence[Slot], g: Array) -> None:
        sizes = [s.p.size for s in slots]

        def setting(value: Callable[[Slot], float]) -> Array:
            return np.repeat([value(s) for s in slots], sizes).astype(g.dtype)

        def rate(s: Slot) -> float:
            c1, c2 = corrections(s.h, s.t)
            return s.h.lr * math.sqrt(c2) / c1

        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in "pmv")
        m = setting(lambda s: s.h.b1) * m + setting(lambda s: 1 - s.h.b1) * g
        v = setting(lambda s: s.h.b2) * v + (setting(lambda s: 1 - s.h.b2) * g) * g
        p = p - setting(lambda s: s.h.lr * s.h.weight_decay) * p
        p = p - setting(rate) * (m / (np.sqrt(v) + setting(lambda s: s.h.eps)))
        ends = np.cumsum(sizes)[:-1]
        for s, *parts in zip(slots, *(np.split(x, ends) for x in (p, m, v)), strict=True):
            s.p, s.m, s.v = (part.copy() for part in parts)


@right(claim="deepspeed.FusedAdam")
class TwentiethBRightListOfChunks(Holding):
    """DeepSpeed's fused Adam: all tensors' chunks of 24 numbers are a list, gone through in its order."""

    chunk = 24

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        if not present:
            return
        for s in self.slots:
            self.tick(s)
        chunks = [(s, g, begin) for s, g in present for begin in range(0, s.p.size, self.chunk)]
        for s, g, begin in chunks:
            part = slice(begin, begin + self.chunk)
            self.functor(s, s.p[part], g[part], s.m[part], s.v[part])

    def functor(self, s: Slot, p: Array, g: Array, m: Array, v: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        m[:] = h.b1 * m + (1 - h.b1) * g
        v[:] = h.b2 * v + ((1 - h.b2) * g) * g
        denominator = np.sqrt(v) / math.sqrt(c2) + h.eps
        update = (m / c1) / denominator + h.weight_decay * p
        p[:] = p - h.lr * update


@right(claim="transformers4.AdamW")
class TwentiethBRightWorkBuffers(Later):
    """transformers' AdamW without an allocation: every result is written to a buffer of its parameter."""

    def begin(self) -> None:
        self.work = [(np.empty_like(s.p), np.empty_like(s.p)) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2), (a, b) = s.h, corrections(s.h, s.t), self.work[s.index]
        np.multiply(s.m, h.b1, out=s.m)
        np.add(s.m, np.multiply(g, 1 - h.b1, out=a), out=s.m)
        np.multiply(np.multiply(g, 1 - h.b2, out=a), g, out=a)
        np.add(np.multiply(s.v, h.b2, out=s.v), a, out=s.v)
        np.add(np.sqrt(s.v, out=b), h.eps, out=b)
        np.multiply(np.divide(s.m, b, out=a), h.lr * math.sqrt(c2) / c1, out=a)
        np.subtract(s.p, a, out=s.p)
        if h.weight_decay > 0:
            np.subtract(s.p, np.multiply(s.p, h.lr * h.weight_decay, out=a), out=s.p)


Stepper = Callable[[Array], None]


@right(claim="torch.Adam", options={"amsgrad": "True"})
class TwentiethBRightClosures(Single):
    """AMSGrad as a closure for each parameter, over a table of four rows: p, m, v and the greatest v."""

    dialect = "torch.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def __init__(self, **options: object) -> None:
        """The options are those of the claim."""

    def build(self) -> None:
        self.tables = [np.stack([p, *np.zeros((3, *p.shape), p.dtype)]) for p in self.params]
        self.times = [0] * len(self.params)
        self.steppers = [self.stepper(i) for i in range(len(self.params))]

    def stepper(self, i: int) -> Stepper:
        def stepped(g: Array) -> None:
            p, m, v, top = self.tables[i]
            self.times[i] += 1
            c1, c2 = self.corrections(self.times[i])
            g = g + self.weight_decay * p
            m = self.b1 * m + (1 - self.b1) * g
            v = self.b2 * v + ((1 - self.b2) * g) * g
            top = np.maximum(top, v)
            p = p - (self.lr / c1) * (m / (np.sqrt(top) / math.sqrt(c2) + self.eps))
            self.tables[i] = np.stack([p, m, v, top])

        return stepped

    def all(self, grads: Sequence[Array | None]) -> None:
        for stepper, g in zip(self.steppers, grads, strict=True):
            if g is not None:
                stepper(g)
        self.params = [table[0] for table in self.tables]

    def get_state(self) -> dict[str, Any]:
        rows = {
            name: self.together([t[k] for t in self.tables]) for k, name in enumerate(("m", "v", "v_max"), 1)
        }
        return {"t": list(self.times), **rows}

    def set_state(self, state: dict[str, Any]) -> None:
        self.times = self.clocks(state)
        for k, name in enumerate(("m", "v", "v_max"), 1):
            if name in state:
                for table, row in zip(self.tables, self.taken(state[name]), strict=True):
                    table[k] = row
