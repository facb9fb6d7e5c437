"""Blind, twenty-eighth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fifth_blind_frame import Modulus
from fourth_blind_frame import Keras
from register import right
from twelfth_blind_frame_b import Stored


@right()
class TwentyEighthBRightChunks(Frame):
    """AdamW in chunks of eleven elements, in place, through two buffers of that length."""

    dialect = "torch.AdamW"
    chunk = 11

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        one, two = (np.empty(self.chunk, s.p.dtype) for _ in range(2))
        root, rate = math.sqrt(1 - h.b2**s.t), h.lr / (1 - h.b1**s.t)
        for begin in range(0, s.p.size, self.chunk):
            part = slice(begin, begin + self.chunk)
            p, m, v, d = s.p[part], s.m[part], s.v[part], g[part]
            a, b = one[: p.size], two[: p.size]
            np.subtract(d, m, out=a)
            a *= 1 - h.b1
            m += a
            np.multiply(d, 1 - h.b2, out=b)
            b *= d
            v *= h.b2
            v += b
            np.sqrt(v, out=b)
            b /= root
            b += h.eps
            np.divide(m, b, out=a)
            a *= rate
            p *= 1 - h.lr * h.weight_decay
            p -= a


@right()
class TwentyEighthBRightEntriesAdded(Stored):
    """SparseAdam whose gradient is a list of entries, which are added up by index before all else."""

    dialect = "torch.SparseAdam"

    def taken(self, g: Array) -> Array:
        row = flat(g)
        indices = np.concatenate([np.arange(0, row.size, 2), np.arange(1, row.size, 2)])[::-1]
        values, summed = row[indices], np.zeros_like(row)
        np.add.at(summed, indices, values)
        return summed


@right()
class TwentyEighthBRightAverageBeside(Keras):
    """AdamW with averages of the parameters, which are saved beside them and never taken for them."""

    dialect = "keras.AdamW"

    def begin(self) -> None:
        self.ema = [s.p.copy() for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            self.ema[s.index] = self.ema[s.index] + 0.01 * (s.p - self.ema[s.index])

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "ema": [self.shaped(s, self.ema[s.index]) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "ema" in state:
            self.ema = [flat(np.asarray(a)).copy() for a in state["ema"]]

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m - (1 - s.h.b1) * (s.m - g)
        s.v = ((1 - s.h.b2) * g) * g + s.v * s.h.b2


@right()
class TwentyEighthBRightParts(Modulus):
    """AdamW whose square is that of both parts, in views of them, and whose decay is a factor."""

    dialect = "optimisers_jl.AdamW"

    def square(self, s: Slot, g: Array) -> Array:
        w, parts = 1 - s.h.b2, 2 if s.dtype.kind == "c" else 1
        both = g.reshape(-1, parts)
        summed = sum((w * both[:, k]) * both[:, k] for k in range(parts))
        return np.repeat(np.asarray(summed), parts)

    def move(self, s: Slot, u: Array) -> None:
        s.p = (1 - s.h.lr * s.h.weight_decay) * s.p - s.h.lr * u
