"""Blind, twenty-fifth set: right Adams in buckets, chunks, complex rows and arrays of scalars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Maximum, Modulus
from register import right
from tenth_blind_frame_b import CoupledHat


@right(claim="torch.AdamW")
class TwentyFifthRightBuckets(Frame):
    """AdamW on one bucket for each dtype, of what has a gradient, with a row of each scalar beside it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        buckets: dict[Any, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.tick(s)
                buckets.setdefault(s.p.dtype, []).append((s, self.taken(g)))
        for dtype, bucket in buckets.items():
            self.bucket(dtype, bucket)

    def bucket(self, dtype: Any, bucket: list[tuple[Slot, Array]]) -> None:
        members = [s for s, _ in bucket]
        sizes = [s.p.size for s in members]

        def spread(values: list[float]) -> Array:
            return np.repeat(np.asarray(values, np.float64).astype(dtype), sizes)

        p, m, v = (np.concatenate([getattr(s, name) for s in members]) for name in ("p", "m", "v"))
        g = np.concatenate([row for _, row in bucket])
        left = [corrections(s.h, s.t) for s in members]
        m = spread([s.h.b1 for s in members]) * m + spread([1 - s.h.b1 for s in members]) * g
        v = spread([s.h.b2 for s in members]) * v + (spread([1 - s.h.b2 for s in members]) * g) * g
        below = np.sqrt(v) / spread([math.sqrt(c2) for _, c2 in left]) + spread([s.h.eps for s in members])
        rates = spread([s.h.lr / c1 for s, (c1, _) in zip(members, left, strict=True)])
        p = p - spread([s.h.lr * s.h.weight_decay for s in members]) * p - rates * (m / below)
        ends = np.cumsum(sizes)[:-1]
        for s, *new in zip(members, *(np.split(row, ends) for row in (p, m, v)), strict=True):
            s.p, s.m, s.v = (row.copy() for row in new)


@right(claim="mxnet.Adam")
class TwentyFifthRightChunksFromEnd(CoupledHat):
    """MXNet's Adam in place, in chunks of seven elements, from the last one on."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        rate, end = h.lr * math.sqrt(c2) / c1, s.p.size
        while end > 0:
            chunk = slice(max(0, end - 7), end)
            p, m, v = (row[chunk] for row in (s.p, s.m, s.v))
            d = g[chunk] + h.weight_decay * p
            m *= h.b1
            m += (1 - h.b1) * d
            v *= h.b2
            v += ((1 - h.b2) * d) * d
            p -= rate * (m / (np.sqrt(v) + h.eps))
            end -= 7


@right(claim="optimisers_jl.AdamW")
class TwentyFifthRightComplexRows(Modulus):
    """Optimisers.jl' AdamW on complex rows: one second moment for a number, which is saved for both parts."""

    def update(self, s: Slot, g: Array) -> None:
        if s.dtype.kind != "c":
            super().update(s, g)
            return
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        grad, m, p = (row.view(s.dtype) for row in (g, s.m, s.p))
        one = s.v[0::2] * h.b2 + ((1 - h.b2) * grad.real) * grad.real
        one = one + ((1 - h.b2) * grad.imag) * grad.imag
        m = h.b1 * m + (1 - h.b1) * grad
        below = np.sqrt(one) / math.sqrt(c2) + h.eps
        parts = [(part / below) * (h.lr / c1) for part in (m.real, m.imag)]
        kept = p * (1 - h.lr * h.weight_decay)
        s.m, s.v = m.view(s.m.dtype), np.repeat(one, 2)
        s.p = np.stack([kept.real - parts[0], kept.imag - parts[1]], -1).reshape(-1)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class TwentyFifthRightArraysOfScalars(Maximum):
    """PyTorch's AMSGrad whose scalars are arrays of the parameter's dtype, of one element each."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        numbers = (h.weight_decay, h.b1, 1 - h.b1, h.b2, 1 - h.b2, math.sqrt(c2), h.eps, h.lr / c1)
        wd, b1, w1, b2, w2, root, eps, rate = (np.full(1, x, s.p.dtype) for x in numbers)
        d = g + wd * s.p
        np.add(b1 * s.m, w1 * d, out=s.m)
        np.add(b2 * s.v, (w2 * d) * d, out=s.v)
        np.maximum(s.top, s.v, out=s.top)
        s.p = s.p - rate * (s.m / (np.sqrt(s.top) / root + eps))
