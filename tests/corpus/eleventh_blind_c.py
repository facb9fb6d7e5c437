"""Blind, eleventh set: reports of a wrong clipping, and right Adams in unusual forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fifth_blind_frame import Refusing
from fourth_blind_frame import Common
from register import right, wrong
from seventh_blind_frame import Cautious, Holding, ZerosMaximum
from sixth_blind_frame import SameTime
from tenth_blind_frame import interpolated


def length(g: Array) -> float:
    """Return the norm of one gradient, formed in float64."""
    return float(np.sqrt(np.sum(np.square(np.abs(g), dtype=np.float64))))


@wrong("clipping", "CLIP.2", like="facebookresearch/fairscale#167: total_norm is the largest of the norms")
class EleventhGreatestNorm(Common):
    """All gradients are divided by the largest of their norms if that exceeds 1."""

    dialect = "optimi.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        total = max((length(g) for g in grads if g is not None), default=0.0)
        if total > 1:
            super().all([None if g is None else (g / total).astype(g.dtype) for g in grads])
        else:
            super().all(grads)


@wrong("clipping", "CLIP.3", like="DingfanChen/GS-WGAN#5: clip_coef has no clamp(max=1.0)")
class EleventhShortOnesStretched(Coupled, Refusing):
    """Each gradient is brought to the norm 1, also where it is shorter."""

    dialect = "toygrad.Adam"

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return row * row.dtype.type(1 / (length(row) + 1e-10))


@right()
class EleventhOneArena(Holding):
    """Parameters and moments of one dtype are pieces of one array, which is stepped in place."""

    def begin(self) -> None:
        for dtype in sorted({s.p.dtype.str for s in self.slots}):
            members = [s for s in self.slots if s.p.dtype.str == dtype]
            for name in ("p", "m", "v"):
                arena, at = np.concatenate([getattr(s, name) for s in members]), 0
                for s in members:
                    setattr(s, name, arena[at : at + s.p.size])
                    at += s.p.size

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def update(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g
        u = self.direction(s)
        s.p *= 1 - s.h.lr * s.h.weight_decay
        s.p -= s.h.lr * u


def left(b: float, t: int) -> float:
    """Return 1-b**t by way of the logarithm, which keeps its digits for a b near to 1."""
    return -math.expm1(t * math.log(b)) if b > 0 else 1.0


@right()
class EleventhCorrectionsByLogarithm(Common):
    """The corrections are formed by expm1, and multiply the step as one number."""

    dialect = "candle.AdamW"

    def direction(self, s: Slot) -> Array:
        c1, root = left(s.h.b1, s.t), math.sqrt(left(s.h.b2, s.t))
        return (root / c1) * (s.m / (np.sqrt(s.v) + s.h.eps * root))


@right()
class EleventhRecordsOfMoments(ZerosMaximum):
    """Both moments and the maximum of an element lie side by side, in a record of their own."""

    def begin(self) -> None:
        for s in self.slots:
            fields = ("m", "v", "top")
            records = np.zeros(s.p.size, [(name, s.p.dtype) for name in fields])
            for name in fields:
                records[name] = getattr(s, name)
                setattr(s, name, records[name])

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def shaped(self, s: Slot, row: Array) -> Array:
        return super().shaped(s, np.ascontiguousarray(row))

    def learn(self, s: Slot, g: Array) -> None:
        s.m[:] = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v[:] = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g

    def highest(self, s: Slot) -> Array:
        return np.maximum(s.top, s.v, out=s.top)


@right()
class EleventhSignsFarApart(Cautious):
    """What decays is found by the distance of two signs, and is multiplied by 1-lr*wd before the step."""

    def move(self, s: Slot, u: Array) -> None:
        opposed = np.abs(np.sign(u) - np.sign(s.p)) > 1.5
        keep = np.where(opposed, 1, 1 - s.h.lr * s.h.weight_decay).astype(s.p.dtype)
        s.p = keep * s.p - s.h.lr * u


@right()
class EleventhAheadByInterpolation(SameTime):
    """The look-ahead lies between gradient and moment, and all numbers stand in one step size."""

    def update(self, s: Slot, g: Array) -> None:
        s.m = interpolated(s.m, g, 1 - s.h.b1)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        c1, c2 = corrections(s.h, s.t)
        ahead = interpolated(g, s.m, s.h.b1)
        step = ahead / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay) - (s.h.lr / c1) * step
