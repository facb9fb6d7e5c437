"""Blind, twenty-sixth set: right Adams in NumPy, written in other styles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Slot, flat
from fifth_blind_frame import Modulus, Zeros
from fourth_blind_frame import Common, Keras
from register import right


@right()
class TwentySixthBRightTwoPasses(Coupled):
    """Adam with L2 in two passes: all moments of all arrays first, and then all parameters."""

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [(s, self.taken(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for s, g in present:
            self.tick(s)
            self.learn(s, s.h.weight_decay * s.p + g)
        for s, _ in present:
            size, inverse = s.h.lr / (1 - s.h.b1**s.t), 1 / math.sqrt(1 - s.h.b2**s.t)
            s.p = s.p - size * (s.m / (np.sqrt(s.v) * inverse + s.h.eps))


@right()
class TwentySixthBRightExponential(Common):
    """AdamW with one clock, whose corrections come by logarithms of the betas, and moments by differences."""

    def remaining(self, b: float, t: int) -> float:
        return -math.expm1(t * math.log(b)) if b else 1.0

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        np.add(s.m, (1 - h.b1) * (g - s.m), out=s.m)
        np.add(s.v, ((1 - h.b2) * g) * g - (1 - h.b2) * s.v, out=s.v)
        below = np.sqrt(s.v)
        below /= math.sqrt(self.remaining(h.b2, s.t))
        below += h.eps
        moved = np.divide(s.m, below, out=below)
        moved *= h.lr / self.remaining(h.b1, s.t)
        s.p = (1 - h.lr * h.weight_decay) * s.p
        s.p -= moved


@right()
class TwentySixthBRightTable(Keras):
    """Keras' AdamW, for which each array with its moments is a table of three rows while it is stepped."""

    def update(self, s: Slot, g: Array) -> None:
        h, real = s.h, s.p.dtype.type
        table = np.stack([s.p, s.m, s.v])
        table *= np.array([1 - h.lr * h.weight_decay, h.b1, h.b2]).astype(real)[:, None]
        table[1:] += np.stack([(1 - h.b1) * g, ((1 - h.b2) * g) * g])
        alpha = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        table[0] -= alpha * (table[1] / (np.sqrt(table[2]) + h.eps))
        s.p, s.m, s.v = (row.copy() for row in table)


@right()
class TwentySixthBRightEveryThird(Zeros):
    """Chainer's Adam over every third element, from three places on, with the decay as a factor."""

    stride = 3

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        p, m, v = s.p.copy(), s.m.copy(), s.v.copy()
        for first in range(self.stride):
            i = slice(first, None, self.stride)
            m[i] = h.b1 * m[i] + (1 - h.b1) * g[i]
            v[i] = h.b2 * v[i] + (g[i] * (1 - h.b2)) * g[i]
            p[i] = p[i] * (1 - h.weight_decay) - rate * (m[i] / (np.sqrt(v[i]) + h.eps))
        s.p, s.m, s.v = p, m, v


@right()
class TwentySixthBRightComplexNumbers(Modulus):
    """Optimisers.jl' AdamW of complex numbers as they are, whose second moment is a real array meanwhile."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        p, x, m, v = (a.view(s.dtype) for a in (s.p, np.ascontiguousarray(g), s.m, s.v))
        w = 1 - h.b2
        square = ((w * x.real) * x.real + (w * x.imag) * x.imag) if s.dtype.kind == "c" else (w * x) * x
        m = m + (1 - h.b1) * (x - m)
        second = h.b2 * v.real + square
        below = np.sqrt(second) / math.sqrt(1 - h.b2**s.t) + h.eps
        step = h.lr / (1 - h.b1**s.t) * (m / below)
        p = p * (1 - h.lr * h.weight_decay)
        s.p, s.m = flat(p - step), flat(m)
        s.v = np.repeat(second, 2) if s.dtype.kind == "c" else second
