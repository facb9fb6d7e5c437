"""Blind, twenty-ninth set: right Adams in NumPy, after other implementations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fourth_blind_frame import Hat, Keras
from register import right
from sixth_blind_frame import SameTime


@right(claim="fairseq.Adam")
class TwentyNinthRightScratch(Hat):
    """AdamW with epsilon hat in chunks of 48 elements, in place, with one scratch row for all."""

    chunk = 48

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        rate = s.h.lr * math.sqrt(c2) / c1
        scratch, denominator = (np.empty(self.chunk, s.p.dtype) for _ in range(2))
        for at in range(0, s.p.size, self.chunk):
            p, m, v, d = (a[at : at + self.chunk] for a in (s.p, s.m, s.v, g))
            x, below = scratch[: p.size], denominator[: p.size]
            np.multiply(d, 1 - s.h.b1, out=x)
            np.multiply(m, s.h.b1, out=m)
            np.add(m, x, out=m)
            np.multiply(d, 1 - s.h.b2, out=x)
            np.multiply(x, d, out=x)
            np.multiply(v, s.h.b2, out=v)
            np.add(v, x, out=v)
            np.sqrt(v, out=below)
            np.add(below, s.h.eps, out=below)
            np.divide(m, below, out=x)
            np.multiply(x, rate, out=x)
            np.multiply(p, 1 - s.h.lr * s.h.weight_decay, out=p)
            np.subtract(p, x, out=p)


Stepping = Callable[[Array], None]


@right(claim="torch.Adam")
class TwentyNinthRightClosures(Coupled):
    """Adam with L2, of which each parameter's step is a closure over its slot, that is made at the start."""

    def begin(self) -> None:
        self.steps: list[Stepping] = [self.made(s) for s in self.slots]

    def made(self, s: Slot) -> Stepping:
        h = s.h

        def corrected() -> tuple[Array, Array]:
            root = math.sqrt(-math.expm1(s.t * math.log(h.b2))) if h.b2 else 1.0
            first = -math.expm1(s.t * math.log(h.b1)) if h.b1 else 1.0
            return s.m / first, np.sqrt(s.v) / root

        def stepping(g: Array) -> None:
            d = g + h.weight_decay * s.p
            s.m = s.m + (1 - h.b1) * (d - s.m) if h.b1 > 0.5 else h.b1 * s.m + (1 - h.b1) * d
            s.v = h.b2 * s.v + d * ((1 - h.b2) * d)
            above, below = corrected()
            s.p = s.p - h.lr * (above / (below + h.eps))

        return stepping

    def update(self, s: Slot, g: Array) -> None:
        self.steps[s.index](g)


@right(claim="keras.AdamW")
class TwentyNinthRightAssigned(Keras):
    """Keras' AdamW as it assigns: what decays is taken away, then alpha times m over its denominator."""

    def update(self, s: Slot, g: Array) -> None:
        s.p = s.p - s.p * (s.h.weight_decay * s.h.lr)
        alpha = s.h.lr * math.sqrt(1 - s.h.b2**s.t) / (1 - s.h.b1**s.t)
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v + (g * (1 - s.h.b2) * g - s.v * (1 - s.h.b2))
        s.p = s.p - alpha * (s.m / (np.sqrt(s.v) + s.h.eps))


@right(claim="timm.NAdamW")
class TwentyNinthRightLerped(SameTime):
    """timm's NAdamW, whose look-ahead is a part of the way from the gradient to the momentum."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.p = s.p * (1 - h.lr * h.weight_decay)
        s.m = h.b1 * s.m + (1 - h.b1) * g
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        ahead = g + h.b1 * (s.m - g) if h.b1 < 0.5 else s.m - (1 - h.b1) * (s.m - g)
        s.p = s.p - (h.lr / c1) * (ahead / (np.sqrt(s.v) / math.sqrt(c2) + h.eps))
