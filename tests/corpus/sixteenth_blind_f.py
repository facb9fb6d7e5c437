"""Blind, sixteenth set: right Adams in the structures and orders of evaluation of libraries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import CorrectedRate, Modulus
from ninth_blind_frame_b import Single, wanted
from register import right
from sixth_blind_frame import Running
from tenth_blind_frame_b import After


class Span(NamedTuple):
    """Where a parameter lies in the buffer of its dtype."""

    kind: Any
    start: int
    stop: int


@right()
class SixteenthBRightFlatPartitions(Single):
    """ZeRO's buffers: parameters of a dtype behind each other, stepped in partitions that cut them."""

    dialect = "apex.FusedAdam"
    ranks = 3

    def build(self) -> None:
        sizes: dict[Any, int] = {}
        self.spans: list[Span] = []
        for p in self.params:
            start = sizes.get(p.dtype, 0)
            sizes[p.dtype] = start + p.size
            self.spans.append(Span(p.dtype, start, start + p.size))
        self.buffers = {kind: np.zeros((3, size), kind) for kind, size in sizes.items()}
        self.t = 0

    def row(self, number: int, span: Span) -> Array:
        return self.buffers[span.kind][number, span.start : span.stop]

    def all(self, grads: Sequence[Array | None]) -> None:
        self.t += 1 if self.params else 0
        flat = {kind: np.zeros(rows.shape[1], kind) for kind, rows in self.buffers.items()}
        live = {kind: np.zeros(rows.shape[1], bool) for kind, rows in self.buffers.items()}
        for span, p, g in zip(self.spans, self.params, grads, strict=True):
            self.row(0, span)[:] = p.reshape(-1)
            if g is not None:
                flat[span.kind][span.start : span.stop] = g.reshape(-1)
                live[span.kind][span.start : span.stop] = True
        for kind, rows in self.buffers.items():
            length = -(-rows.shape[1] // self.ranks)
            for rank in range(self.ranks):
                part = slice(rank * length, (rank + 1) * length)
                self.partition(rows[:, part], flat[kind][part], live[kind][part])
        self.params = [
            self.row(0, span).reshape(p.shape).copy() for span, p in zip(self.spans, self.params, strict=True)
        ]

    def partition(self, rows: Array, g: Array, live: Array) -> None:
        p, m, v = rows
        c1, c2 = self.corrections(self.t)
        m_new = m * self.b1 + g * (1 - self.b1)
        v_new = v * self.b2 + (g * (1 - self.b2)) * g
        update = (m_new / c1) / (np.sqrt(v_new) / math.sqrt(c2) + self.eps) + self.weight_decay * p
        for row, new in ((p, p - self.lr * update), (m, m_new), (v, v_new)):
            np.copyto(row, new, where=live)

    def get_state(self) -> dict[str, Any]:
        shaped = [
            [self.row(n, span).reshape(p.shape) for span, p in zip(self.spans, self.params, strict=True)]
            for n in (1, 2)
        ]
        return {"t": self.t, "m": self.together(shaped[0]), "v": self.together(shaped[1])}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        for n, name in ((1, "m"), (2, "v")):
            for span, a in zip(self.spans, self.taken(state[name]), strict=True):
                self.row(n, span)[:] = a.reshape(-1)


@right()
class SixteenthBRightFusedOperator(CorrectedRate):
    """MXNet's fused operator: the corrected rate multiplies the sum of quotient and decay."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        lr = h.lr * math.sqrt(c2) / c1
        s.m = h.b1 * s.m + (1 - h.b1) * g
        s.v = h.b2 * s.v + (1 - h.b2) * g * g
        s.p = s.p - lr * (s.m / (np.sqrt(s.v) + h.eps) + h.weight_decay * s.p)


@right()
class SixteenthBRightRules(Running, Modulus):
    """Optimisers.jl: each rule of a chain hands on a change, and the powers are those of the next step."""

    dialect = "optimisers_jl.AdamW"

    def powers(self, s: Slot) -> dict[str, float]:
        return {"power1": s.h.b1 ** (s.t + 1), "power2": s.h.b2 ** (s.t + 1)}

    def tick(self, s: Slot) -> None:
        s.t += 1

    def update(self, s: Slot, g: Array) -> None:
        change = g
        for rule in (self.adam, self.decayed):
            change = rule(s, change)
        s.p = s.p - change

    def adam(self, s: Slot, dx: Array) -> Array:
        c1, c2 = self.left(s)
        self.learn(s, dx)
        s.extra = {"power1": s.extra["power1"] * s.h.b1, "power2": s.extra["power2"] * s.h.b2}
        return s.m / c1 / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps) * s.h.lr

    def decayed(self, s: Slot, dx: Array) -> Array:
        return dx + s.h.lr * s.h.weight_decay * s.p


@right()
class SixteenthBRightListsOfUpdates(Single):
    """scikit-learn's solver: lists of moments, a rate that is corrected beforehand, updates to add."""

    dialect = "sklearn.Adam"
    hyper = ("lr", "b1", "b2", "eps")

    def build(self) -> None:
        self.t, self.ms, self.vs = 0, self.zeros(), self.zeros()

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        updates = self.updates([g for g in grads if g is not None])
        self.params = [p + u for p, u in zip(self.params, updates, strict=True)]

    def updates(self, grads: Sequence[Array]) -> list[Array]:
        self.t += 1 if grads else 0
        self.ms = [self.b1 * m + (1 - self.b1) * g for m, g in zip(self.ms, grads, strict=True)]
        self.vs = [self.b2 * v + ((1 - self.b2) * g) * g for v, g in zip(self.vs, grads, strict=True)]
        if not grads:
            return []
        c1, c2 = self.corrections(self.t)
        rate = self.lr * math.sqrt(c2) / c1
        return [-rate * (m / (np.sqrt(v) + self.eps)) for m, v in zip(self.ms, self.vs, strict=True)]

    def get_state(self) -> dict[str, Any]:
        return {"t": self.t, "m": self.together(self.ms), "v": self.together(self.vs)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        self.ms, self.vs = self.taken(state["m"]), self.taken(state["v"])


@right()
class SixteenthBRightInPlaceThenDecay(After):
    """thinc's Adam: moments grow by a share of what they lack, and the weights then lose theirs in place."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m += (1 - h.b1) * (g - s.m)
        s.v -= (1 - h.b2) * s.v
        s.v += ((1 - h.b2) * g) * g
        weights = s.p.copy()
        weights -= h.lr * (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + h.eps))
        if h.weight_decay:
            weights -= h.lr * h.weight_decay * weights
        s.p = weights
