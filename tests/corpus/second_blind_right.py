"""Blind, second set: right Adams in forms of other people's code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from register import right
from second_blind_state import Dozat


@right()
class FreshRightThreads(Frame):
    """Each parameter is stepped by a thread of its own."""

    def all(self, grads: Sequence[Array | None]) -> None:
        def one(s: Slot, g: Array | None) -> None:
            with np.errstate(all="ignore"):
                if g is not None:
                    self.tick(s)
                    self.update(s, flat(g))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, self.slots, grads))


@right()
class FreshRightExtended(Frame):
    """The whole step is made in extended precision, and everything is rounded at its end."""

    def update(self, s: Slot, g: Array) -> None:
        dtype = s.p.dtype
        s.p, s.m, s.v = (a.astype(np.longdouble) for a in (s.p, s.m, s.v))
        super().update(s, g.astype(np.longdouble))
        s.p, s.m, s.v = (a.astype(dtype) for a in (s.p, s.m, s.v))


@right()
class FreshRightPlanes(Frame):
    """Real and imaginary parts of a complex array are stepped as two arrays."""

    def update(self, s: Slot, g: Array) -> None:
        if s.dtype.kind != "c":
            super().update(s, g)
            return
        whole = s.p, s.m, s.v
        new = [np.empty_like(a) for a in whole]
        for part in (slice(0, None, 2), slice(1, None, 2)):
            s.p, s.m, s.v = (np.ascontiguousarray(a[part]) for a in whole)
            super().update(s, np.ascontiguousarray(g[part]))
            for a, made in zip(new, (s.p, s.m, s.v), strict=True):
                a[part] = made
        s.p, s.m, s.v = new


@right()
class FreshRightScratch(Frame):
    """Every operation writes into memory that is there: moments, parameter and one scratch row."""

    def update(self, s: Slot, g: Array) -> None:
        h, row = s.h, np.empty_like(g)
        c1, c2 = corrections(h, s.t)
        np.subtract(g, s.m, out=row)
        np.multiply(row, 1 - h.b1, out=row)
        np.add(s.m, row, out=s.m)
        np.multiply(g, 1 - h.b2, out=row)
        np.multiply(row, g, out=row)
        np.multiply(s.v, h.b2, out=s.v)
        np.add(s.v, row, out=s.v)
        np.sqrt(s.v, out=row)
        np.multiply(row, 1 / math.sqrt(c2), out=row)
        np.add(row, h.eps, out=row)
        np.divide(s.m, row, out=row)
        np.multiply(row, -h.lr / c1, out=row)
        np.multiply(s.p, 1 - h.lr * h.weight_decay, out=s.p)
        np.add(s.p, row, out=s.p)


@right()
class FreshRightChosen(Frame):
    """Every parameter is stepped, an absent gradient as 0, and then the old or the new is chosen."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            present = np.full(s.p.shape, g is not None)
            before, clock = (s.p, s.m, s.v), s.t
            self.tick(s)
            self.update(s, np.zeros_like(s.p) if g is None else flat(g))
            s.p, s.m, s.v = (
                np.where(present, new, old) for old, new in zip(before, (s.p, s.m, s.v), strict=True)
            )
            s.t = s.t if g is not None else clock


SOURCE = """
def stepped(p, m, v, g, t, lr, b1, b2, eps, wd, sqrt):
    m = b1 * m + (1 - b1) * g
    v = b2 * v + ((1 - b2) * g) * g
    return (1 - lr * wd) * p - (m / (sqrt(v) + eps * (1 - b2**t) ** 0.5)) * (
        lr * (1 - b2**t) ** 0.5 / (1 - b1**t)), m, v
"""
MADE: dict[str, Callable[..., tuple[Array, Array, Array]]] = {}
exec(SOURCE, MADE)


@right()
class FreshRightCompiled(Frame):
    """The step is compiled from a text, with the corrections folded into the rate and epsilon."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        s.p, s.m, s.v = MADE["stepped"](
            s.p, s.m, s.v, g, s.t, h.lr, h.b1, h.b2, h.eps, h.weight_decay, np.sqrt
        )


@right()
class FreshRightMaximum(Coupled):
    """AMSGrad, whose maximum grows in its own memory, by a step that is taken off backwards."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        np.maximum(s.v, s.top, out=s.top)
        return np.negative(s.m) * (1 / (np.sqrt(s.top) * (1 / math.sqrt(c2)) + s.h.eps)) / c1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.h.lr * u + s.p


@right()
class FreshRightDozat(Dozat):
    """Dozat's schedule, gradient and moment divided apart."""
