"""Blind, twenty-second set: right Adams in dictionaries, closures, pools, lists of operations and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Maximum, Zeros
from fourth_blind_frame import Keras
from ninth_blind_frame_b import Single
from register import right
from twelfth_blind_frame import RunningCoupled


@right(claim="torch.AdamW")
class TwentySecondBRightScratch(Frame):
    """AdamW in place, with two scratch rows for all parameters that are as long as the longest one."""

    def begin(self) -> None:
        longest: dict[Any, int] = {}
        for s in self.slots:
            longest[s.p.dtype] = max(longest.get(s.p.dtype, 0), s.p.size)
        self.scratch = {dtype: np.empty((2, size), dtype) for dtype, size in longest.items()}

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        a, b = self.scratch[s.p.dtype][:, : s.p.size]
        np.multiply(g, 1 - h.b1, out=a)
        np.multiply(s.m, h.b1, out=s.m)
        s.m += a
        np.multiply(g, 1 - h.b2, out=a)
        np.multiply(a, g, out=a)
        np.multiply(s.v, h.b2, out=s.v)
        s.v += a
        np.sqrt(s.v, out=b)
        b *= 1 / math.sqrt(c2)
        b += h.eps
        np.divide(s.m, b, out=a)
        a *= h.lr / c1
        s.p *= 1 - h.lr * h.weight_decay
        s.p -= a


@right(claim="paddle.Adam")
class TwentySecondBRightPowersPerOp(RunningCoupled):
    """Paddle's Adam: moment and root are one array of two rows, which a column of corrections divides."""

    def direction(self, s: Slot) -> Array:
        left = np.asarray(self.left(s), np.float64).reshape(2, 1)
        estimates = np.stack([s.m, np.sqrt(s.v)])
        estimates /= (left ** [[1.0], [0.5]]).astype(estimates.dtype)
        return np.asarray(estimates[0] / (estimates[1] + s.h.eps))


@right(claim="torch.Adam", options={"amsgrad": "True"})
class TwentySecondBRightOperations(Maximum):
    """PyTorch's AMSGrad as a list of operations on named rows, which is gone through for each parameter."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        r = {"p": s.p, "m": s.m, "v": s.v, "top": s.top, "g": g}
        operations: list[tuple[str, Callable[[], Any]]] = [
            ("g", lambda: r["p"] * h.weight_decay + r["g"]),
            ("m", lambda: r["m"] + (r["g"] - r["m"]) * (1 - h.b1)),
            ("v", lambda: r["v"] * h.b2 + (r["g"] * (1 - h.b2)) * r["g"]),
            ("top", lambda: np.maximum(r["top"], r["v"])),
            ("below", lambda: np.sqrt(r["top"]) / math.sqrt(c2) + h.eps),
            ("p", lambda: r["p"] - (h.lr / c1) * (r["m"] / r["below"])),
        ]
        for name, operation in operations:
            r[name] = operation()
        s.p, s.m, s.v, s.top = (np.asarray(r[name], s.p.dtype) for name in ("p", "m", "v", "top"))


@right(claim="keras.AdamW")
class TwentySecondBRightAssignAdd(Keras):
    """Keras' AdamW with its own assignments: what is added to the moments is a part of a difference."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        alpha = h.lr * math.sqrt(c2) / c1
        variable = s.p - s.p * (h.weight_decay * h.lr)
        s.m = s.m + (g - s.m) * (1 - h.b1)
        s.v = s.v + ((g * (1 - h.b2)) * g - s.v * (1 - h.b2))
        s.p = variable - (s.m / (np.sqrt(s.v) + h.eps)) * alpha


@right(claim="chainer.Adam")
class TwentySecondBRightRules(Zeros):
    """Chainer's Adam: a parameter has an update rule, a closure over its rows; None becomes zeros."""

    def all(self, grads: Sequence[Array | None]) -> None:
        rules = [self.rule(s) for s in self.slots]
        for rule, s, g in zip(rules, self.slots, grads, strict=True):
            rule(np.zeros_like(s.p) if g is None else self.taken(g))

    def rule(self, s: Slot) -> Callable[[Array], None]:
        def update_core(g: Array) -> None:
            s.t += 1
            c1, c2 = corrections(s.h, s.t)
            s.m = s.m + (1 - s.h.b1) * (g - s.m)
            s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
            alpha = s.h.lr * math.sqrt(c2) / c1
            s.p = s.p - (alpha * (s.m / (np.sqrt(s.v) + s.h.eps)) + s.h.weight_decay * s.p)

        return update_core


@right(claim="apex.FusedAdam")
class TwentySecondBRightTable(Single):
    """Apex' Adam: moments of all arrays of a dtype lie in one table of two rows, with places for each."""

    dialect = "apex.FusedAdam"

    def build(self) -> None:
        self.count = 0
        self.places: list[tuple[Any, slice]] = []
        ends: dict[Any, int] = {}
        for p in self.params:
            begin = ends.get(p.dtype, 0)
            ends[p.dtype] = begin + p.size
            self.places.append((p.dtype, slice(begin, begin + p.size)))
        self.tables = {dtype: np.zeros((2, end), dtype) for dtype, end in ends.items()}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.count += bool(self.params)
        for i, g in enumerate(grads):
            if g is not None:
                self.params[i] = self.stepped(self.params[i], g, *self.rows(i))

    def rows(self, i: int) -> tuple[Array, Array]:
        dtype, place = self.places[i]
        m, v = (row[place].reshape(self.params[i].shape) for row in self.tables[dtype])
        return m, v

    def stepped(self, p: Array, g: Array, m: Array, v: Array) -> Array:
        c1, c2 = self.corrections(self.count)
        m[...] = self.b1 * m + (1 - self.b1) * g
        v[...] = self.b2 * v + ((1 - self.b2) * g) * g
        update = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + self.eps)
        return p - self.lr * (update + self.weight_decay * p)

    def get_state(self) -> dict[str, Any]:
        pairs = [self.rows(i) for i in range(len(self.params))]
        m, v = (self.together([pair[k] for pair in pairs]) for k in range(2))
        return {"t": [self.count] * len(self.params), "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.count = max(self.clocks(state), default=0)
        for i, given in enumerate(zip(self.taken(state["m"]), self.taken(state["v"]), strict=True)):
            for row, new in zip(self.rows(i), given, strict=True):
                row[...] = new
