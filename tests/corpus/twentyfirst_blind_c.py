"""Blind, twenty-first set: right Adams in NumPy, in memory and orders of evaluation of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fifth_blind_frame import Maximum
from fourth_blind_frame import Common, Hat
from register import right


@right()
class TwentyFirstRightRecords(Frame):
    """AdamW whose parameters and moments are fields of one array of records, a record for each element."""

    records: list[Any]

    def begin(self) -> None:
        self.records = []
        for s in self.slots:
            kind = np.dtype([(name, s.p.dtype) for name in ("p", "m", "v")])
            record = np.zeros(s.p.size, kind)
            record["p"] = s.p
            self.records.append(record)
            s.p, s.m, s.v = record["p"], record["m"], record["v"]

    def update(self, s: Slot, g: Array) -> None:
        r, h = self.records[s.index], s.h
        c1, c2 = 1 - h.b1**s.t, 1 - h.b2**s.t
        r["p"] *= 1 - h.lr * h.weight_decay
        r["m"] = r["m"] * h.b1 + g * (1 - h.b1)
        r["v"] = r["v"] * h.b2 + g * (g * (1 - h.b2))
        scaled = h.eps * math.sqrt(c2)
        r["p"] -= (r["m"] / (np.sqrt(r["v"]) + scaled)) * (h.lr * math.sqrt(c2) / c1)

    def shaped(self, s: Slot, row: Array) -> Array:
        return super().shaped(s, np.ascontiguousarray(row))

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s, r in zip(self.slots, self.records, strict=True):
            r["m"], r["v"] = s.m, s.v
            s.m, s.v = r["m"], r["v"]


@right()
class TwentyFirstRightArena(Coupled):
    """Adam with L2 in one piece of memory, of which everything is a view, with scratch rows at its end."""

    scratch: tuple[Any, ...]

    def begin(self) -> None:
        lines = [-(-s.p.nbytes // 64) * 64 for s in self.slots]
        arena = np.zeros(3 * sum(lines) + 2 * max(lines, default=0), np.uint8)
        place = 0
        for s, line in zip(self.slots, lines, strict=True):
            for name in ("p", "m", "v"):
                view = arena[place : place + s.p.nbytes].view(s.p.dtype)
                view[...] = getattr(s, name)
                setattr(s, name, view)
                place += line
        half = (arena.size - place) // 2
        self.scratch = arena[place : place + half], arena[place + half :]

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        a, b = (memory[: s.p.nbytes].view(s.p.dtype) for memory in self.scratch)
        np.multiply(s.p, h.weight_decay, out=a)
        np.add(a, g, out=a)
        np.multiply(s.m, h.b1, out=s.m)
        np.multiply(a, 1 - h.b1, out=b)
        np.add(s.m, b, out=s.m)
        np.multiply(a, 1 - h.b2, out=b)
        np.multiply(b, a, out=b)
        np.multiply(s.v, h.b2, out=s.v)
        np.add(s.v, b, out=s.v)
        np.sqrt(s.v, out=b)
        np.multiply(b, 1 / math.sqrt(1 - h.b2**s.t), out=b)
        np.add(b, h.eps, out=b)
        np.divide(s.m, b, out=a)
        np.multiply(a, h.lr / (1 - h.b1**s.t), out=a)
        np.subtract(s.p, a, out=s.p)

    def set_state(self, state: dict[str, Any]) -> None:
        views = [(s.m, s.v) for s in self.slots]
        super().set_state(state)
        for s, (m, v) in zip(self.slots, views, strict=True):
            m[...], v[...] = s.m, s.v
            s.m, s.v = m, v


@right()
class TwentyFirstRightWideInside(Hat):
    """fairseq's Adam, of which a step is made in float64 throughout, and rounded where it is stored."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        p, d, m, v = (a.astype(np.float64) for a in (s.p, g, s.m, s.v))
        m = h.b1 * m + (1 - h.b1) * d
        v = h.b2 * v + (1 - h.b2) * d * d
        c1, c2 = -math.expm1(s.t * math.log(h.b1)) if h.b1 else 1.0, 1 - h.b2**s.t
        p -= h.lr * (h.weight_decay * p + math.sqrt(c2) / c1 * (m / (np.sqrt(v) + h.eps)))
        s.p, s.m, s.v = (a.astype(s.p.dtype) for a in (p, m, v))


@lru_cache(maxsize=64)
def stepper(
    t: int, lr: float, b1: float, b2: float, eps: float, wd: float
) -> Callable[[Array, Array, Array, Array], None]:
    """Return what steps a chunk in its place, with the coefficients of one update."""
    c1, c2 = 1 - b1**t, 1 - b2**t
    root, rate = math.sqrt(c2), lr / c1

    def functor(p: Array, g: Array, m: Array, v: Array) -> None:
        m[...] = b1 * m + (1 - b1) * g
        v[...] = b2 * v + ((1 - b2) * g) * g
        p[...] = p - (rate * (m / (np.sqrt(v) / root + eps)) + lr * wd * p)

    return functor


@right()
class TwentyFirstRightChunkList(Common):
    """Apex' fused AdamW: chunks of 96 elements are listed first, and a functor is launched on each then."""

    chunk_size = 96

    def all(self, grads: Sequence[Array | None]) -> None:
        launches: list[tuple[Callable[..., None], tuple[Array, ...]]] = []
        for s, g in zip(self.slots, grads, strict=True):
            s.t += 1
            if g is not None:
                h, rows = s.h, (s.p, flat(g), s.m, s.v)
                functor = stepper(s.t, h.lr, h.b1, h.b2, h.eps, h.weight_decay)
                for at in range(0, s.p.size, self.chunk_size):
                    launches.append((functor, tuple(a[at : at + self.chunk_size] for a in rows)))
        for functor, chunk in reversed(launches):
            functor(*chunk)


@right()
class TwentyFirstRightMaximumInPlace(Maximum):
    """AMSGrad with L2, whose maximum is written to in its place, and whose step is one quotient."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        root = math.sqrt(1 - h.b2**s.t)
        d = np.add(g, h.weight_decay * s.p)
        s.m *= h.b1
        s.m += (1 - h.b1) * d
        s.v *= h.b2
        s.v += ((1 - h.b2) * d) * d
        np.maximum(s.v, s.top, out=s.top)
        s.p = s.p - (h.lr * root / (1 - h.b1**s.t)) * (s.m / (np.sqrt(s.top) + root * h.eps))
