"""Blind: right Adams, written as one does not write them."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from register import right


def left(b: float, t: int) -> float:
    """Return 1 - b**t without its cancellation."""
    return -math.expm1(t * math.log(b)) if b else 1.0


@right()
class BlindRightPieces(Frame):
    """Every array is stepped in pieces of 61 elements, from its end."""

    def update(self, s: Slot, g: Array) -> None:
        whole = s.p, s.m, s.v
        new = [np.empty_like(a) for a in whole]
        for i in reversed(range(0, g.size, 61)):
            piece = slice(i, i + 61)
            s.p, s.m, s.v = (a[piece] for a in whole)
            super().update(s, g[piece])
            for a, part in zip(new, (s.p, s.m, s.v), strict=True):
                a[piece] = part
        s.p, s.m, s.v = new


@right()
class BlindRightOneBuffer(Frame):
    """All present parameters of a dtype are stepped as one array, with a row of step sizes."""

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for dtype in {s.p.dtype for s, _ in present}:
            rows = [(s, g) for s, g in present if s.p.dtype == dtype]
            for s, _ in rows:
                self.tick(s)
            self.together([s for s, _ in rows], np.concatenate([g for _, g in rows]))

    def together(self, slots: list[Slot], g: Array) -> None:
        def spread(values: list[float]) -> Array:
            return np.repeat(np.array(values).astype(g.dtype), sizes)

        sizes = [s.p.size for s in slots]
        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v"))
        both = [corrections(s.h, s.t) for s in slots]
        w2 = spread([1 - s.h.b2 for s in slots])
        m = m + spread([1 - s.h.b1 for s in slots]) * (g - m)
        v = v + ((w2 * g) * g - w2 * v)
        root = np.sqrt(v) * spread([1 / math.sqrt(c2) for _, c2 in both]) + spread([s.h.eps for s in slots])
        p = p - spread([s.h.lr * s.h.weight_decay for s in slots]) * p
        p = p - spread([s.h.lr / c1 for s, (c1, _) in zip(slots, both, strict=True)]) * (m / root)
        ends = np.cumsum(sizes)[:-1]
        for s, *new in zip(slots, np.split(p, ends), np.split(m, ends), np.split(v, ends), strict=True):
            s.p, s.m, s.v = new


@right()
class BlindRightSums(Frame):
    """The first moment is a discounted sum, and its weight waits for the step size."""

    def learn(self, s: Slot, g: Array) -> None:
        w1 = 1 - s.h.b1
        s.m = w1 * (s.h.b1 * (s.m / w1) + g)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@right()
class BlindRightDebiased(Frame):
    """The averages are kept corrected: with weights w/(1-b**t) they need no correction afterwards."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if hyper.keys() - {"lr"}:
            raise NotImplementedError("corrected averages belong to their betas")
        super().set_hyper(hyper)

    def kept(self) -> tuple[tuple[str, str], ...]:
        return ("mean", "m"), ("mean_square", "v")

    def update(self, s: Slot, g: Array) -> None:
        a1, a2 = ((1 - b) / left(b, s.t) for b in (s.h.b1, s.h.b2))
        s.m = s.m + a1 * (g - s.m)
        s.v = (1 - a2) * s.v + (a2 * g) * g
        self.move(s, s.m / (np.sqrt(s.v) + s.h.eps))


@right()
class BlindRightBackwards(Frame):
    """The arithmetic runs on reversed views of every second element, the even ones last."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        fresh = {name: getattr(s, name).copy() for name in ("p", "m", "v")}
        for start in (1, 0):
            p, m, v, d = (a[start::2][::-1] for a in (fresh["p"], fresh["m"], fresh["v"], g))
            m *= s.h.b1
            m += (1 - s.h.b1) * d
            v *= s.h.b2
            v += ((1 - s.h.b2) * d) * d
            p *= 1 - s.h.lr * s.h.weight_decay
            p -= (s.h.lr / c1) * (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps))
        s.p, s.m, s.v = fresh["p"], fresh["m"], fresh["v"]


@right()
class BlindRightCoroutine(Frame):
    """Each parameter has a coroutine, which is sent gradients."""

    def begin(self) -> None:
        self.waiting = [self.life(s) for s in self.slots]
        for one in self.waiting:
            next(one)

    def life(self, s: Slot) -> Generator[None, Array, None]:
        while True:
            g = yield
            s.m, s.v = (
                b * old + ((1 - b) * new) * by
                for b, old, new, by in ((s.h.b1, s.m, g, 1), (s.h.b2, s.v, g, g))
            )
            self.move(s, self.direction(s))

    def update(self, s: Slot, g: Array) -> None:
        self.waiting[s.index].send(g)


@right()
class BlindRightRecords(Frame):
    """Parameter and moments of an element lie side by side in one record."""

    def update(self, s: Slot, g: Array) -> None:
        real = s.p.dtype
        a = np.empty(g.size, [("g", real), ("m", real), ("p", real), ("v", real)])
        a["g"], a["m"], a["p"], a["v"] = g, s.m, s.p, s.v
        a["m"] += (1 - s.h.b1) * (a["g"] - a["m"])
        a["v"] += ((1 - s.h.b2) * a["g"]) * a["g"] - (1 - s.h.b2) * a["v"]
        c1, c2 = left(s.h.b1, s.t), left(s.h.b2, s.t)
        u = a["m"] / (np.sqrt(a["v"]) / math.sqrt(c2) + s.h.eps)
        a["p"] -= s.h.lr * s.h.weight_decay * a["p"] + (s.h.lr / c1) * u
        s.m, s.p, s.v = a["m"].copy(), a["p"].copy(), a["v"].copy()


@right()
class BlindRightMatrix(Coupled):
    """Both moments are the rows of a matrix, which is scaled and added to at once."""

    def learn(self, s: Slot, g: Array) -> None:
        keep = np.array([[s.h.b1], [s.h.b2]]).astype(g.dtype)
        fresh = np.array([[1 - s.h.b1], [1 - s.h.b2]]).astype(g.dtype)
        moments = keep * np.stack([s.m, s.v]) + (fresh * g) * np.stack([np.ones_like(g), g])
        s.m, s.v = moments[0].copy(), moments[1].copy()


@right()
class BlindRightReciprocal(Frame):
    """One reciprocal of root and epsilon, scaled by the second correction, in buffers that are used again."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        work = np.sqrt(s.v)
        work += s.h.eps * math.sqrt(c2)
        np.reciprocal(work, out=work)
        work *= s.m
        work *= math.sqrt(c2) / c1
        return work


@right()
class BlindRightMaximumBySort(Coupled):
    """AMSGrad's maximum is the last of two, sorted."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.sort(np.stack([s.top, s.v]), axis=0)[1]
        return (s.m / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)) / c1
