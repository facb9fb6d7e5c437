"""Blind, twenty-third set: right Adams in NumPy, in the styles of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Hat
from register import right


@right(claim="numpy_ml.Adam")
class TwentyThirdRightCache(Plain):
    """numpy-ml's Adam, which returns a new cache and a new parameter, and takes what was returned."""

    def update(self, s: Slot, g: Array) -> None:
        cache = {"t": s.t, "mean": s.m, "var": s.v}
        s.p, new = self.updated(s.p, g, cache, s.h.lr, (s.h.b1, s.h.b2), s.h.eps)
        s.m, s.v = new["mean"], new["var"]

    def updated(
        self,
        param: Array,
        grad: Array,
        cache: dict[str, Any],
        lr: float,
        decays: tuple[float, float],
        eps: float,
    ) -> tuple[Array, dict[str, Any]]:
        d1, d2 = decays
        mean = (1 - d1) * grad + d1 * cache["mean"]
        var = ((1 - d2) * grad) * grad + d2 * cache["var"]
        v_hat_root = np.sqrt(var) / math.sqrt(1 - d2 ** cache["t"])
        m_hat = mean / (1 - d1 ** cache["t"])
        return param - lr * (m_hat / (v_hat_root + eps)), {**cache, "mean": mean, "var": var}


@right(claim="torch.Adam")
class TwentyThirdRightSteppers(Coupled):
    """Adam with L2 as a list of steppers, called one after another with what the former has made."""

    def update(self, s: Slot, g: Array) -> None:
        grad = g.copy()
        steppers: list[Callable[[Slot, Array], None]] = [self.l2_reg, self.average_grad, self.average_sqr]
        for stepper in (*steppers, self.adam_step):
            stepper(s, grad)

    def l2_reg(self, s: Slot, grad: Array) -> None:
        grad += s.h.weight_decay * s.p

    def average_grad(self, s: Slot, grad: Array) -> None:
        s.m = s.m * s.h.b1
        s.m += grad * (1 - s.h.b1)

    def average_sqr(self, s: Slot, grad: Array) -> None:
        s.v = s.v * s.h.b2
        s.v += grad * (grad * (1 - s.h.b2))

    def adam_step(self, s: Slot, grad: Array) -> None:
        debias1, debias2 = corrections(s.h, s.t)
        root = math.sqrt(debias2)
        s.p = s.p - (s.h.lr * root / debias1) * (s.m / (np.sqrt(s.v) + root * s.h.eps))


@right(claim="apex.FusedAdam")
class TwentyThirdRightGroupedLists(Common):
    """Apex' fused AdamW: lists of gradients, parameters and moments by dtype, over which one functor goes."""

    def all(self, grads: Sequence[Array | None]) -> None:
        lists: dict[str, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            s.t += 1
            if g is not None:
                lists.setdefault(s.p.dtype.char, []).append((s, self.taken(g)))
        for pairs in lists.values():
            for s, g in pairs:
                self.functor(s, g, *corrections(s.h, s.t))

    def functor(self, s: Slot, g: Array, c1: float, c2: float) -> None:
        m = s.h.b1 * s.m + (1 - s.h.b1) * g
        v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        below = np.sqrt(v) * (1 / math.sqrt(c2)) + s.h.eps
        total = (m / c1) / below + s.h.weight_decay * s.p
        s.p, s.m, s.v = s.p - s.h.lr * total, m, v


@right(claim="fairseq.Adam")
class TwentyThirdRightTable(Hat):
    """fairseq's Adam over a table with a row of moments each, whose weights are a column."""

    def update(self, s: Slot, g: Array) -> None:
        h, real = s.h, s.p.dtype
        weights = np.array([[h.b1], [h.b2]], real)
        rest = np.array([[1 - h.b1], [1 - h.b2]], real)
        c1, c2 = corrections(h, s.t)
        added = np.stack([g, rest[1, 0] * g])
        added[0] *= rest[0, 0]
        added[1] *= g
        table = np.stack([s.m, s.v]) * weights + added
        s.m, s.v = table
        kept = s.p * (1 - h.lr * h.weight_decay)
        s.p = kept - (h.lr * math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + h.eps))


@right(claim="torch.AdamW")
class TwentyThirdRightBlocks(Frame):
    """AdamW in blocks of 32 elements, each of which is copied out, stepped in place, and copied back."""

    block = 32

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        rows = [np.array(a) for a in (s.p, s.m, s.v)]
        for begin in range(0, g.size, self.block):
            part = slice(begin, begin + self.block)
            p, m, v = (row[part].copy() for row in rows)
            d = g[part]
            p *= 1 - h.lr * h.weight_decay
            m *= h.b1
            m += d * (1 - h.b1)
            v *= h.b2
            v += (d * (1 - h.b2)) * d
            below = np.sqrt(v)
            below /= math.sqrt(c2)
            below += h.eps
            p -= (m / below) * (h.lr / c1)
            for row, new in zip(rows, (p, m, v), strict=True):
                row[part] = new
        s.p, s.m, s.v = rows
