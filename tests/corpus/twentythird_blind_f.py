"""Blind, twenty-third set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Plain, Zeros
from fourth_blind_frame import Keras
from register import right


@right()
class TwentyThirdBRightGenerator(Plain):
    """Algorithm 1 as a generator, which is sent a gradient and yields the change of the parameter."""

    def update(self, s: Slot, g: Array) -> None:
        change = self.changes(s)
        next(change)
        s.p = s.p - change.send(g)
        change.close()

    def changes(self, s: Slot) -> Any:
        h = s.h
        g = yield
        s.m += (1 - h.b1) * (g - s.m)
        s.v *= h.b2
        s.v += g * ((1 - h.b2) * g)
        size, inverse = h.lr / (1 - h.b1**s.t), 1 / math.sqrt(1 - h.b2**s.t)
        yield size * (s.m / (inverse * np.sqrt(s.v) + h.eps))


@right()
class TwentyThirdBRightBucketsOfHypers(Frame):
    """AdamW that joins arrays of the same dtype, hyperparameters and clock, and steps each bucket at once."""

    def all(self, grads: Sequence[Array | None]) -> None:
        buckets: dict[tuple[Any, ...], list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.tick(s)
                key = (s.p.dtype.str, s.t, *vars(s.h).values())
                buckets.setdefault(key, []).append((s, self.taken(g)))
        for pairs in buckets.values():
            self.bucket([s for s, _ in pairs], [g for _, g in pairs])

    def bucket(self, slots: list[Slot], grads: list[Array]) -> None:
        first, g = slots[0], np.concatenate(grads)
        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v"))
        whole = Slot(first.index, first.h, g.shape, g.dtype, p, m, v, np.zeros_like(g), first.t)
        self.update(whole, g)
        begin = 0
        for s in slots:
            part = slice(begin, begin + s.p.size)
            s.p, s.m, s.v = (a[part].copy() for a in (whole.p, whole.m, whole.v))
            begin = part.stop


@right()
class TwentyThirdBRightChunks(Zeros):
    """Chainer's Adam by chunks of at most 50 elements, each of which is stepped in views of the arrays."""

    def chunks(self, s: Slot) -> Iterator[slice]:
        return (slice(k, k + 50) for k in range(0, s.p.size, 50))

    def update(self, s: Slot, g: Array) -> None:
        h, p = s.h, s.p.copy()
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        s.m, s.v = s.m.copy(), s.v.copy()
        for part in self.chunks(s):
            m, v, w, x = s.m[part], s.v[part], p[part], g[part]
            m += (1 - h.b1) * (x - m)
            np.multiply(v, h.b2, out=v)
            v += (1 - h.b2) * x * x
            w -= h.weight_decay * w + rate * (m / (np.sqrt(v) + h.eps))
        s.p = p


@right()
class TwentyThirdBRightVariables(Keras):
    """Keras' AdamW: the decay of every variable first, then its moments by differences, in place."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        s.p = s.p * (1 - h.lr * h.weight_decay)
        alpha = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        s.m += (g - s.m) * (1 - h.b1)
        s.v += (g * (1 - h.b2)) * g - s.v * (1 - h.b2)
        s.p -= (s.m / (np.sqrt(s.v) + h.eps)) * alpha


@right()
class TwentyThirdBRightScaledEpsilon(Coupled):
    """Adam with L2, with both corrections in the rate, and an epsilon that is scaled to make up for it."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        root = math.sqrt(1 - h.b2**s.t)
        x = h.weight_decay * s.p + g
        self.learn(s, x)
        s.p = s.p - (h.lr * root / (1 - h.b1**s.t)) * (s.m / (np.sqrt(s.v) + h.eps * root))
