"""Blind, twelfth set: reports of a wrong clipping, and right Adams in unusual forms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from eighth_blind_frame import Relative, lengths
from eleventh_blind_c import length
from fifth_blind_frame import Later
from fourth_blind_frame import Keras
from register import right, wrong
from seventh_blind_frame import Cautious
from sixth_blind_frame import Running, Unscaled, WantingCoupledHat
from tenth_blind_frame import Corrected
from twelfth_blind_frame import RunningWanting, shortened


@wrong("clipping", "CLIP.1", like="google/sling#237: the final update is clipped, and not the gradient")
class TwelfthUpdateHasNorm(Corrected):
    """What is taken from a parameter is scaled down to the norm 1; its gradient is not."""

    def move(self, s: Slot, u: Array) -> None:
        whole = s.h.lr * u
        s.p = s.p - shortened(whole, length(whole))


@wrong("clipping zero_gradient", "CLIP.3", like="PaddlePaddle/Paddle#30777: clip_by_norm of zeros is NaN")
class TwelfthZerosOverTheirNorm(RunningWanting):
    """Each gradient is scaled down to the norm 1 without a branch: one of zeros is divided by 0."""

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        norm = np.float64(length(row))
        short = float(norm <= 1)
        return np.asarray(row * row.dtype.type(short + (1 - short) / norm))


@wrong(
    "clipping nonfinite", "CLIP.2", like="tensorflow/tensorflow#21363: 1 / use_norm is 0 of an infinite norm"
)
class TwelfthInfinityZeroesAll(Unscaled):
    """All gradients are scaled down to the norm 1; an infinity in one makes the others 0."""

    def all(self, grads: Sequence[Array | None]) -> None:
        scale = np.minimum(1 / np.sqrt(np.float64(lengths(grads))), 1.0)
        super().all([None if g is None else (g * g.real.dtype.type(scale)).astype(g.dtype) for g in grads])


@wrong("clipping", "CLIP.3", like="keras-team/keras#13575: clipnorm is the norm of each, and not of all")
class TwelfthLocalNorms(Keras):
    """Each gradient is scaled down to the norm 1 by its own norm."""

    dialect = "keras.Adam"

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return shortened(row, length(row))


@wrong("clipping decay", "CLIP.1", like="PaddlePaddle/Paddle3D#163: the clip comes behind the regularizer")
class TwelfthPenaltyIsClipped(Coupled):
    """Penalties join the gradients, and then all are scaled down to the norm 1 together."""

    dialect = "torchao.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        pairs = zip(self.slots, grads, strict=True)
        rows = [None if g is None else self.penalized(s, self.taken(g)) for s, g in pairs]
        total = math.sqrt(lengths(rows))
        for s, row in zip(self.slots, rows, strict=True):
            if row is not None:
                self.tick(s)
                self.learn(s, shortened(row, total))
                self.move(s, self.direction(s))


@right()
class TwelfthEveryOther(Running):
    """The elements of even place are stepped first, and those of odd place then, in place."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = self.left(s)
        for first in (0, 1):
            p, m, v, part = (a[first::2] for a in (s.p, s.m, s.v, g))
            m[:] = s.h.b1 * m + (1 - s.h.b1) * part
            v[:] = s.h.b2 * v + ((1 - s.h.b2) * part) * part
            p *= 1 - s.h.lr * s.h.weight_decay
            p -= (s.h.lr / c1) * (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps))


@right()
class TwelfthWideInside(WantingCoupledHat):
    """A step is made in float64, and rounded where parameter and moments are stored."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        p, m, v, g = (a.astype(np.float64) for a in (s.p, s.m, s.v, g))
        g += s.h.weight_decay * p
        m = s.h.b1 * m + (1 - s.h.b1) * g
        v = s.h.b2 * v + ((1 - s.h.b2) * g) * g
        p -= s.h.lr * math.sqrt(c2) / c1 * (m / (np.sqrt(v) + s.h.eps))
        s.p, s.m, s.v = (a.astype(s.p.dtype) for a in (p, m, v))


@right()
class TwelfthHalvesOfHalves(Coupled):
    """An array is cut into halves, and these into halves, until a piece is short enough for a step."""

    def update(self, s: Slot, g: Array) -> None:
        self.piece(s, g, slice(0, s.p.size))

    def piece(self, s: Slot, g: Array, where: slice) -> None:
        middle = (where.start + where.stop) // 2
        if where.stop - where.start > 1000:
            self.piece(s, g, slice(middle, where.stop))
            self.piece(s, g, slice(where.start, middle))
            return
        p, m, v = s.p[where], s.m[where], s.v[where]
        c1, c2 = corrections(s.h, s.t)
        d = g[where] + s.h.weight_decay * p
        m[:] = s.h.b1 * m + (1 - s.h.b1) * d
        v[:] = s.h.b2 * v + ((1 - s.h.b2) * d) * d
        p -= (s.h.lr / c1) * (m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps))


@right()
class TwelfthOneScratch(Keras):
    """Every product and quotient is written to one array, from which it joins its target."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        room = np.empty_like(s.p)
        s.m *= s.h.b1
        s.m += np.multiply(g, 1 - s.h.b1, out=room)
        s.v *= s.h.b2
        np.multiply(g, 1 - s.h.b2, out=room)
        s.v += np.multiply(room, g, out=room)
        np.sqrt(s.v, out=room)
        room += s.h.eps
        np.divide(s.m, room, out=room)
        s.p -= s.p * (s.h.lr * s.h.weight_decay)
        s.p -= np.multiply(room, s.h.lr * math.sqrt(c2) / c1, out=room)


@right()
class TwelfthKeptOfBoth(Later):
    """What decay leaves is multiplied out: a share of the parameter less a share of the step."""

    def move(self, s: Slot, u: Array) -> None:
        keep = 1 - s.h.lr * s.h.weight_decay
        s.p = keep * s.p - (keep * s.h.lr) * u


@right()
class TwelfthShareOfGreatest(Relative):
    """The parameter is multiplied by what its decay leaves, and corrections by their reciprocals."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        h1, h2 = (1 / c for c in corrections(s.h, s.t))
        s.p = s.p * (1 - self.fraction(s) * s.h.weight_decay)
        s.p -= (s.h.lr * h1) * (s.m / (np.sqrt(s.v) * math.sqrt(h2) + s.h.eps))


@right()
class TwelfthSignBits(Cautious):
    """What does not decay is found by sign bits that differ, of numbers that are not 0."""

    def mask(self, s: Slot, u: Array) -> Array:
        opposed = np.signbit(u) ^ np.signbit(s.p)
        return np.asarray(~(opposed & (u != 0) & (s.p != 0)))
