"""Blind, fifth set: right Adams, whose state, order or arithmetic is unusual."""

from __future__ import annotations

import decimal
import math
import mmap
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from register import right


@right()
class FifthRightLogarithms(Frame):
    """Step size and corrections are sums of logarithms, in extended precision."""

    def direction(self, s: Slot) -> Array:
        one = np.longdouble(1)
        t, b1, b2 = (np.longdouble(x) for x in (s.t, s.h.b1, s.h.b2))
        c1, c2 = (-np.expm1(t * np.log(b)) if b else one for b in (b1, b2))
        over = float(np.exp(-np.log(c1)))
        root2 = float(np.exp(np.log(c2) / 2))
        return (s.m / (np.sqrt(s.v) / root2 + s.h.eps)) * over


class Snapshot(NamedTuple):
    """What one parameter is after an update."""

    t: int
    p: Array
    m: Array
    v: Array


@right()
class FifthRightSnapshots(Frame):
    """Nothing changes: each update makes a new tuple of read-only arrays, which takes the old one's place."""

    def update(self, s: Slot, g: Array) -> None:
        new = self.after(s, Snapshot(s.t, s.p, s.m, s.v), g)
        for a in new[1:]:
            a.flags.writeable = False
        s.t, s.p, s.m, s.v = new

    def after(self, s: Slot, old: Snapshot, g: Array) -> Snapshot:
        c1, c2 = corrections(s.h, old.t)
        m = s.h.b1 * old.m + (1 - s.h.b1) * g
        v = s.h.b2 * old.v + ((1 - s.h.b2) * g) * g
        u = (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1
        return Snapshot(old.t, old.p - s.h.lr * (u + s.h.weight_decay * old.p), m, v)


@right()
class FifthRightLate(Frame):
    """Moments come to be with the first gradient; until then a saved state has zeros that nobody keeps."""

    def begin(self) -> None:
        for s in self.slots:
            s.m, s.v, s.top = (np.zeros(0, s.p.dtype) for _ in range(3))

    def learn(self, s: Slot, g: Array) -> None:
        if s.m.size != g.size:
            s.m, s.v = (1 - s.h.b1) * g, ((1 - s.h.b2) * g) * g
        else:
            super().learn(s, g)

    def shaped(self, s: Slot, row: Array) -> Array:
        return super().shaped(s, row if row.size == s.p.size else np.zeros_like(s.p))


def element(
    p: float,
    g: float,
    m: float,
    v: float,
    b1: float,
    b2: float,
    lr: float,
    wd: float,
    eps: float,
    c1: float,
    c2: float,
) -> tuple[float, float, float]:
    """Return parameter and moments of one element, of numbers that know how they are rounded."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + ((1 - b2) * g) * g
    return p - lr * wd * p - lr / c1 * (m / (v**0.5 / c2**0.5 + eps)), m, v


@right()
class FifthRightUniversalFunction(Frame):
    """A Python function of eleven numbers is made a universal function, which broadcasts the settings."""

    def begin(self) -> None:
        self.function = np.frompyfunc(element, 11, 3)

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        rows = [a.astype(np.float64).astype(object) for a in (s.p, g, s.m, s.v)]
        settings = (h.b1, h.b2, h.lr, h.weight_decay, h.eps, *corrections(h, s.t))
        try:
            news = self.function(*rows, *settings)
        except (ZeroDivisionError, OverflowError):  # which Python's numbers raise, and arrays do not
            super().update(s, g)
            return
        s.p, s.m, s.v = (np.asarray(a, np.float64).astype(s.p.dtype) for a in news)


@right()
class FifthRightShuffled(Frame):
    """The elements are stepped in an order that is drawn anew for each update, and laid back."""

    def begin(self) -> None:
        self.random = np.random.default_rng(7)

    def update(self, s: Slot, g: Array) -> None:
        order = self.random.permutation(g.size)
        back = np.argsort(order)
        s.p, s.m, s.v = (a[order] for a in (s.p, s.m, s.v))
        super().update(s, g[order])
        s.p, s.m, s.v = (a[back] for a in (s.p, s.m, s.v))


@right()
class FifthRightDecimals(Frame):
    """What is left of the bias is formed with fifty decimal digits, and rounded once."""

    def direction(self, s: Slot) -> Array:
        with decimal.localcontext() as context:
            context.prec = 50
            c1, c2 = (1 - decimal.Decimal(b) ** s.t for b in (s.h.b1, s.h.b2))
            size, root2 = float(1 / c1), float(c2.sqrt())
        return size * (s.m / (np.sqrt(s.v) / root2 + s.h.eps))


@lru_cache(4096)
def complement(b: float, t: int) -> float:
    """Return 1-b**t of halves: 1-x*x is (1-x)*(1+x)."""
    if t <= 1:
        return 1 - b if t else 0.0
    half = complement(b, t // 2)
    even = half * (2 - half)
    return even if t % 2 == 0 else (1 - b) + b * even


@right()
class FifthRightHalvedPower(Coupled):
    """L2: the complement of a power is put together from that of half the power."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (complement(b, s.t) for b in (s.h.b1, s.h.b2))
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@right()
class FifthRightRowViews(Frame):
    """Parameter and moments are stepped in place through views of their rows."""

    def update(self, s: Slot, g: Array) -> None:
        width = max(1, s.shape[-1] * (2 if s.dtype.kind == "c" else 1)) if s.shape else 1
        grids = [a.reshape(-1, width) if a.size else a.reshape(0, 1) for a in (s.p, s.m, s.v, g)]
        c1, c2 = corrections(s.h, s.t)
        for p, m, v, new in zip(*grids, strict=True):
            m += (1 - s.h.b1) * (new - m)
            v *= s.h.b2
            v += ((1 - s.h.b2) * new) * new
            p -= (s.h.lr * s.h.weight_decay) * p
            p -= (s.h.lr / c1) * (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps))


@right()
class FifthRightMappedMemory(Frame):
    """The moments live in an anonymous map of memory, as those do that are paged out."""

    def begin(self) -> None:
        for s in self.slots:
            s.m, s.v = (self.paged(s.p) for _ in range(2))

    def paged(self, p: Array) -> Array:
        pages = mmap.mmap(-1, max(1, p.nbytes))
        return np.frombuffer(pages, p.dtype, p.size)

    def learn(self, s: Slot, g: Array) -> None:
        m, v = self.paged(s.p), self.paged(s.p)
        np.multiply(s.m, s.h.b1, out=m)
        m += (1 - s.h.b1) * g
        np.multiply(s.v, s.h.b2, out=v)
        v += ((1 - s.h.b2) * g) * g
        s.m, s.v = m, v


@right()
class FifthRightBytes(Frame):
    """Between two steps the moments are strings of bytes, which are read and written in each."""

    def begin(self) -> None:
        self.texts = [(bytes(s.m.nbytes), bytes(s.v.nbytes)) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        s.m, s.v = (np.frombuffer(text, s.p.dtype) for text in self.texts[s.index])
        super().update(s, g)
        self.texts[s.index] = (s.m.tobytes(), s.v.tobytes())

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.texts = [(s.m.tobytes(), s.v.tobytes()) for s in self.slots]


@right()
class FifthRightOneBlock(Frame):
    """Parameter and moments are the rows of one block, which a list of in-place instructions changes."""

    def update(self, s: Slot, g: Array) -> None:
        block = np.stack([s.p, s.m, s.v])
        p, m, v = block
        keep = np.array([[1 - s.h.lr * s.h.weight_decay], [s.h.b1], [s.h.b2]])
        block *= keep.astype(block.dtype)
        block[1:] += np.stack([(1 - s.h.b1) * g, ((1 - s.h.b2) * g) * g])
        c1, c2 = corrections(s.h, s.t)
        scratch = np.sqrt(v)
        scratch *= 1 / math.sqrt(c2)
        scratch += s.h.eps
        np.divide(m, scratch, out=scratch)
        scratch *= s.h.lr / c1
        p -= scratch
        s.p, s.m, s.v = block


@right()
class FifthRightTwoPasses(Frame):
    """The list of gradients is sorted by size first; the longest array learns first and moves last."""

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        present.sort(key=lambda pair: -pair[1].size)
        for s, g in present:
            self.tick(s)
            self.learn(s, g)
        while present:
            s, _ = present.pop()
            self.move(s, self.direction(s))
