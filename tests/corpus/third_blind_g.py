"""Blind, third set: more right Adams, whose arithmetic or memory is unusual."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections, flat
from register import right


@right()
class ThirdRightRecords(Frame):
    """Parameter, gradient and moments of an element lie side by side in one record."""

    def update(self, s: Slot, g: Array) -> None:
        d = s.p.dtype
        table = np.empty(g.size, [("p", d), ("g", g.dtype), ("m", d), ("v", d)])
        table["p"], table["g"], table["m"], table["v"] = s.p, g, s.m, s.v
        s.p, s.m, s.v = table["p"], table["m"], table["v"]
        super().update(s, table["g"])
        s.p, s.m, s.v = (np.ascontiguousarray(a) for a in (s.p, s.m, s.v))


@right()
class ThirdRightContraction(Frame):
    """Each moment is a contraction of a pair of weights with a pair of rows."""

    def learn(self, s: Slot, g: Array) -> None:
        d, h = s.m.dtype, s.h
        rows = np.stack([s.m, g, s.v, (1 - h.b2) * g * g]).astype(d)
        s.m = (np.array([[h.b1], [1 - h.b1]], d) * rows[:2]).sum(axis=0, dtype=d)
        s.v = (np.array([[h.b2], [1]], d) * rows[2:]).sum(axis=0, dtype=d)


@right()
class ThirdRightChain(Frame):
    """The step is a chain of small transformations, each of which sees the update of the one before."""

    def update(self, s: Slot, g: Array) -> None:
        def adam(u: Array) -> Array:
            self.learn(s, u)
            return self.direction(s)

        chain: list[Callable[[Array], Array]] = [
            adam,
            lambda u: u + s.h.weight_decay * s.p,
            lambda u: -s.h.lr * u,
            lambda u: s.p + u,
        ]
        s.p = functools.reduce(lambda u, part: part(u), chain, g)


@right()
class ThirdRightTwoPasses(Frame):
    """All parameters learn in a first pass and move in a second."""

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                self.missed(s)
        with np.errstate(all="ignore"):
            for s, g in present:
                self.tick(s)
                self.learn(s, g)
            for s, _ in present:
                self.move(s, self.direction(s))


@right()
class ThirdRightEverySecond(Frame):
    """All rows are every second number of longer ones, whose other numbers are NaN."""

    def update(self, s: Slot, g: Array) -> None:
        def spread(a: Array) -> Array:
            wide = np.full(2 * a.size + 1, np.nan, a.dtype)
            wide[1::2] = a
            return wide[1::2]

        s.p, s.m, s.v = spread(s.p), spread(s.m), spread(s.v)
        super().update(s, spread(g))
        s.p, s.m, s.v = (np.ascontiguousarray(a) for a in (s.p, s.m, s.v))


@right()
class ThirdRightSealed(Frame):
    """No array is ever written to: what a step reads is sealed, and what it makes is new."""

    def update(self, s: Slot, g: Array) -> None:
        def sealed(a: Array) -> Array:
            copy = a.copy()
            copy.flags.writeable = False
            return copy

        s.p, s.m, s.v = sealed(s.p), sealed(s.m), sealed(s.v)
        super().update(s, sealed(g))


@right()
class ThirdRightBracket(Frame):
    """Quotient and decay are added up in a bracket, and the learning rate is multiplied in last."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (u + s.h.weight_decay * s.p)


@right()
class ThirdRightDouble(Frame):
    """What is narrower than a float64 is stepped as one, and rounded at the end."""

    def update(self, s: Slot, g: Array) -> None:
        d = s.p.dtype
        wide = np.result_type(d, np.float64)
        s.p, s.m, s.v = (a.astype(wide) for a in (s.p, s.m, s.v))
        super().update(s, g.astype(wide))
        s.p, s.m, s.v = (a.astype(d) for a in (s.p, s.m, s.v))


@functools.lru_cache(maxsize=64)
def remembered(b: float, t: int) -> float:
    """Return 1 - b**t, of which the last few are remembered."""
    return 1 - b**t


@right()
class ThirdRightRemembered(Frame):
    """The corrections are looked up by beta and count in a table that all arrays share."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = remembered(s.h.b1, s.t), remembered(s.h.b2, s.t)
        return (s.m / c1) / (np.sqrt(s.v) * (1 / math.sqrt(c2)) + s.h.eps)


@right()
class ThirdRightGreatestOfRows(Coupled):
    """AMSGrad: the maximum is reduced over two rows, and the corrections are folded into rate and epsilon."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum.reduce(np.stack([s.v, s.top]), axis=0)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps * math.sqrt(c2)))


@right()
class ThirdRightNesterov(Coupled):
    """Nesterov: the schedule is an exponential, and moment and gradient are divided separately."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        h = s.h
        rate = h.momentum_decay * math.log(0.96)
        now, after = (h.b1 - 0.5 * h.b1 * math.exp(k * rate) for k in (s.t, s.t + 1))
        s.mu *= now
        below = np.sqrt(s.v) / math.sqrt(corrections(h, s.t)[1]) + h.eps
        s.p = s.p - (h.lr * (1 - now) / (1 - s.mu)) * (g / below)
        s.p = s.p - (h.lr * after / (1 - s.mu * after)) * (s.m / below)


@right()
class ThirdRightPenaltyFirst(Coupled):
    """L2: the penalty is formed before the gradient is looked at, and both go nearer by a part of the way."""

    def update(self, s: Slot, g: Array) -> None:
        pull = s.h.weight_decay * s.p
        pull += g
        s.m = s.m + (1 - s.h.b1) * (pull - s.m)
        s.v = s.h.b2 * s.v + pull * ((1 - s.h.b2) * pull)
        s.p = s.p - s.h.lr * self.direction(s)


@right()
class ThirdRightUpwards(Frame):
    """Maximize: the gradient is averaged as it comes, from a moment that is negated and negated back."""

    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        s.m = -s.m
        self.learn(s, g)
        up = s.h.lr * self.direction(s)
        s.m = -s.m
        s.p = (s.p - s.h.lr * s.h.weight_decay * s.p) + up


@right()
class ThirdRightTransposed(Frame):
    """Arrays are stepped in their own shape, with their axes in reverse order."""

    def update(self, s: Slot, g: Array) -> None:
        shape = (*s.shape, 2) if s.dtype.kind == "c" else s.shape
        s.p, s.m, s.v = (a.reshape(shape).T for a in (s.p, s.m, s.v))
        super().update(s, g.reshape(shape).T)
        s.p, s.m, s.v = (np.ascontiguousarray(np.asarray(a).T).reshape(-1) for a in (s.p, s.m, s.v))


@right()
class ThirdRightUpsAndDowns(Frame):
    """The positive and the negative part of the gradient enter the first moment one after the other."""

    def learn(self, s: Slot, g: Array) -> None:
        w1, w2 = 1 - s.h.b1, 1 - s.h.b2
        s.m = s.h.b1 * s.m + w1 * np.maximum(g, 0) + w1 * np.minimum(g, 0)
        s.v = s.h.b2 * s.v + (w2 * np.abs(g)) * np.abs(g)
