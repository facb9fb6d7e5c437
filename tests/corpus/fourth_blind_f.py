"""Blind, fourth set: right Adams, whose order, memory or clock is unusual."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections, flat
from fourth_blind_frame import lookahead
from register import right


@right()
class FourthRightHalves(Frame):
    """An array is cut in two until its parts are short, and each part is stepped by itself."""

    def update(self, s: Slot, g: Array) -> None:
        if g.size <= 13:
            super().update(s, g)
            return
        whole, middle = (s.p, s.m, s.v), g.size // 2
        halves = []
        for part in (slice(None, middle), slice(middle, None)):
            s.p, s.m, s.v = (a[part] for a in whole)
            self.update(s, g[part])
            halves.append((s.p, s.m, s.v))
        s.p, s.m, s.v = (np.concatenate(pair) for pair in zip(*halves, strict=True))


@right()
class FourthRightTwoPages(Frame):
    """Moments have two pages: odd steps read the one and write the other, even steps the reverse."""

    def learn(self, s: Slot, g: Array) -> None:
        pages = self.pages.setdefault(s.index, [np.empty_like(s.m) for _ in range(4)])
        m, v = pages[s.t % 2 :: 2]
        m[...], v[...] = s.m, s.v
        m *= s.h.b1
        m += (1 - s.h.b1) * g
        v *= s.h.b2
        v += ((1 - s.h.b2) * g) * g
        s.m, s.v = m, v

    def begin(self) -> None:
        self.pages: dict[int, list[Array]] = {}


@right()
class FourthRightPairs(Frame):
    """The two moments of an element are the real and the imaginary part of one number."""

    def learn(self, s: Slot, g: Array) -> None:
        pair = np.empty(g.shape, np.result_type(g.dtype, np.complex64))
        pair.real, pair.imag = s.m, s.v
        pair.real += (1 - s.h.b1) * (g - pair.real)
        pair.imag += ((1 - s.h.b2) * g) * g - (1 - s.h.b2) * pair.imag
        s.m, s.v = pair.real.copy(), pair.imag.copy()


@right()
class FourthRightBuffered(Frame):
    """NumPy's iterator hands the rows out in buffers of eleven elements, and writes them back."""

    def update(self, s: Slot, g: Array) -> None:
        if not g.size:
            return
        rows = [np.ascontiguousarray(a) for a in (s.p, s.m, s.v)]
        with np.nditer(
            [*rows, g],
            ["external_loop", "buffered"],
            [["readwrite"], ["readwrite"], ["readwrite"], ["readonly"]],
            buffersize=11,
        ) as chunks:
            for p, m, v, new in chunks:
                s.p, s.m, s.v = p, m, v
                super().update(s, new)
                p[...], m[...], v[...] = s.p, s.m, s.v
        s.p, s.m, s.v = rows


@right()
class FourthRightInThousands(Frame):
    """The first moment counts in units of 1/1024, in which it is exact, and the step divides by them."""

    def learn(self, s: Slot, g: Array) -> None:
        m = np.ldexp(s.m, 10)
        m = s.h.b1 * m + (1 - s.h.b1) * np.ldexp(g, 10)
        s.m = np.ldexp(m, -10)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


def in_two(b: float, t: int) -> float:
    """Return 1 - b**t, whose power is a whole number of 64ths powers times what is left."""
    high, low = divmod(t, 64)
    return 1 - (b**64) ** high * b**low


@right()
class FourthRightPowersInTwo(Frame):
    """The power of a beta is put together from a multiple of 64 and a rest."""

    dialect = "paddle.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = in_two(s.h.b1, s.t), in_two(s.h.b2, s.t)
        return (s.m / c1) / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


@right()
class FourthRightIterators(Frame):
    """The clock of a parameter is an iterator, which a loaded state makes anew from where it was."""

    def begin(self) -> None:
        self.clocks: list[Iterator[int]] = [itertools.count(s.t + 1) for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def tick(self, s: Slot) -> None:
        s.t = next(self.clocks[s.index])


@right()
class FourthRightHypotenuse(Frame):
    """The root of the second moment is the hypotenuse over old root and gradient, in double precision."""

    def learn(self, s: Slot, g: Array) -> None:
        wide = np.result_type(g.dtype, np.float64)
        old, new = np.sqrt(s.v.astype(wide)), g.astype(wide)
        root = np.hypot(math.sqrt(s.h.b2) * old, math.sqrt(1 - s.h.b2) * new)
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = (root * root).astype(s.v.dtype)


@right()
class FourthRightKeepFactored(Frame):
    """What the decay leaves is factored out of parameter and step, where it is not small."""

    def move(self, s: Slot, u: Array) -> None:
        keep = 1 - s.h.lr * s.h.weight_decay
        if keep < 0.5:
            super().move(s, u)
        else:
            s.p = keep * (s.p - (s.h.lr / keep) * u)


@right()
class FourthRightRateBelow(Frame):
    """Learning rate and first correction stand below the line, unless the rate is 0."""

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        p = s.p - s.h.lr * s.h.weight_decay * s.p
        if s.h.lr:
            p -= s.m / ((c1 / s.h.lr) * (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps))
        s.p = p


@right()
class FourthRightSummedColumns(Coupled):
    """L2: gradient and penalty are the columns of a table, whose sum is learnt."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return np.add.reduce(np.column_stack([g, s.h.weight_decay * s.p]).astype(g.dtype), axis=1)


@right()
class FourthRightFloor(Coupled):
    """AMSGrad: the second moment is clipped from below by the maximum so far."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.clip(s.v, s.top, None)
        return (s.m / c1) / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)


@right()
class FourthRightDozat(Coupled):
    """Nesterov: moment and gradient are two rows that a row of weights contracts."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        s.mu *= now
        weights = [s.h.lr * after / (1 - s.mu * after), s.h.lr * (1 - now) / (1 - s.mu)]
        ahead = (np.array(weights, g.dtype)[:, None] * np.stack([s.m, g])).sum(axis=0)
        s.p = s.p - ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps)


@right()
class FourthRightRing(Frame):
    """Eight powers lie in a ring, each the one before times its beta; every sixteenth is formed anew."""

    def begin(self) -> None:
        self.ring: deque[tuple[float, int, float]] = deque(maxlen=8)

    def power(self, b: float, t: int) -> float:
        for beta, k, power in self.ring:
            if (beta, k) == (b, t):
                return power
        power = self.power(b, t - 1) * b if t % 16 else b**t
        self.ring.append((b, t, power))
        return power

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - self.power(s.h.b1, s.t), 1 - self.power(s.h.b2, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@right()
class FourthRightRaised(Frame):
    """Rows of several arrays of one dtype, each with settings and clock of its own, are padded to a table."""

    def all(self, grads: Sequence[Array | None]) -> None:
        own = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, _ in own:
            self.tick(s)
        for dtype in {s.p.dtype for s, _ in own}:
            self.table([(s, g) for s, g in own if s.p.dtype == dtype], dtype)

    def table(self, own: list[tuple[Slot, Array]], dtype: np.dtype[Any]) -> None:
        short = [pair for pair in own if pair[1].size <= 64]
        for s, g in own:
            if g.size > 64:
                self.update(s, g)
        if not short:
            return
        p, g, m, v = np.zeros((4, len(short), max(g.size for _, g in short)), dtype)
        for i, (s, new) in enumerate(short):
            for table, row in ((p, s.p), (g, new), (m, s.m), (v, s.v)):
                table[i, : row.size] = row
        c = np.array([corrections(s.h, s.t) for s, _ in short])
        b1, b2, lr, wd, eps = (
            np.array([getattr(s.h, name) for s, _ in short])[:, None]
            for name in ("b1", "b2", "lr", "weight_decay", "eps")
        )
        column = [
            a.astype(dtype) for a in (b1, 1 - b1, b2, 1 - b2, lr / c[:, :1], np.sqrt(c[:, 1:]), lr * wd, eps)
        ]
        m = column[0] * m + column[1] * g
        v = column[2] * v + (column[3] * g) * g
        p = p - column[6] * p - column[4] * (m / (np.sqrt(v) / column[5] + column[7]))
        for i, (s, new) in enumerate(short):
            s.p, s.m, s.v = (table[i, : new.size].copy() for table in (p, m, v))
