"""Blind, sixteenth set: right Adams in NumPy, in other orders of evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fourth_blind_frame import Keras
from register import right
from tenth_blind_frame_b import After


@right()
class SixteenthRightBuffers(Coupled):
    """Adam with L2 in three buffers of its own, into which every operation writes."""

    def begin(self) -> None:
        self.buffers = [[np.empty_like(s.p) for _ in range(3)] for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        a, b, c = self.buffers[s.index]
        np.multiply(s.p, s.h.weight_decay, out=a)
        np.add(a, g, out=a)
        np.multiply(a, 1 - s.h.b2, out=b)
        np.multiply(b, a, out=b)
        np.multiply(s.v, s.h.b2, out=s.v)
        np.add(s.v, b, out=s.v)
        np.multiply(a, 1 - s.h.b1, out=a)
        np.multiply(s.m, s.h.b1, out=s.m)
        np.add(s.m, a, out=s.m)
        c1, c2 = corrections(s.h, s.t)
        np.sqrt(s.v, out=c)
        np.divide(c, math.sqrt(c2), out=c)
        np.add(c, s.h.eps, out=c)
        np.divide(s.m, c, out=c)
        np.multiply(c, s.h.lr / c1, out=c)
        s.p = s.p - c


@right()
class SixteenthRightAlpha(Keras):
    """Keras' AdamW: decay is applied to all variables first; moments grow by a part of what they lack."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                s.p = s.p - s.p * (s.h.weight_decay * s.h.lr)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.assign(s, self.taken(g))

    def assign(self, s: Slot, g: Array) -> None:
        power1, power2 = s.h.b1**s.t, s.h.b2**s.t
        alpha = s.h.lr * math.sqrt(1 - power2) / (1 - power1)
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v * s.h.b2 + (g * (1 - s.h.b2)) * g
        s.p = s.p - (s.m / (np.sqrt(s.v) + s.h.eps)) * alpha


@right()
class SixteenthRightShrunkBehind(After):
    """thinc's Adam: the step, and then a product with what the decay leaves."""

    def update(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(s.v) + s.h.eps
        moved = s.p - (s.h.lr * math.sqrt(c2) / c1) * np.divide(s.m, below)
        s.p = (1 - s.h.lr * s.h.weight_decay) * moved
