"""Blind: the moments of other Adams' bugs."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


def truncated(x: float) -> float:
    """Return the bfloat16 below, in size, a number."""
    bits = np.array([x], np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return float(bits.view(np.float32)[0])


def brained(a: Array) -> Array:
    """Return an array whose numbers are rounded to bfloat16."""
    bits = a.astype(np.float32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(a), rounded.view(np.float32), a).astype(a.dtype)


@wrong("moments coefficients", "MOM.2", like="tenstorrent/tt-metal#55935")
class BlindBetaTruncated(Frame):
    """The average of squares runs on a b2 cut to bfloat16, the correction on b2 itself."""

    def learn(self, s: Slot, g: Array) -> None:
        b2 = truncated(s.h.b2)
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = b2 * s.v + ((1 - b2) * g) * g


@wrong("moments", "MOM.2", like="PennyLaneAI/pennylane#1928")
class BlindFirstSquareWhole(Frame):
    """The first second moment is the whole square: its weight comes in from the second update on."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = g * g if s.t == 1 else s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("moments", "MOM.1", like="ryankiros/skip-thoughts#82")
class BlindWeightsInverted(Frame):
    """The averages take 1-b for b, as the first version of the paper did; the corrections take b."""

    def learn(self, s: Slot, g: Array) -> None:
        fresh1, fresh2 = s.h.b1, s.h.b2
        s.m = fresh1 * g + (1 - fresh1) * s.m
        s.v = (fresh2 * g) * g + (1 - fresh2) * s.v


@wrong("moments", "MOM.2", like="kozistr/pytorch_optimizer#257")
class BlindRowMeans(Frame):
    """In a matrix, every element of a row has the mean of the row's squares."""

    def learn(self, s: Slot, g: Array) -> None:
        square = ((1 - s.h.b2) * g) * g
        if len(s.shape) > 1 and g.size:
            rows = square.reshape(math.prod(s.shape[:-1]), -1)
            square = np.broadcast_to(rows.mean(axis=1, keepdims=True), rows.shape).reshape(-1)
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + square


@wrong("moments zero_gradient", "NUM.2", like="engichang1467/Open-Rig3R#35")
class BlindSmallGradientsFlushed(Frame):
    """A gradient below the smallest normal float16 arrives as 0."""

    smallest = 2.0**-14

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, np.where(np.abs(g) < self.smallest, g * 0, g))


@wrong("moments mixed_precision", "MOM.4", like="OpenTau#182")
class BlindFirstInBfloat(Frame):
    """The first moment is stored in bfloat16, whatever the parameter is."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        m = h.b1 * s.m + (1 - h.b1) * g
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        c1, c2 = corrections(h, s.t)
        u = m / (np.sqrt(s.v) / math.sqrt(c2) + h.eps)
        s.p = (1 - h.lr * h.weight_decay) * s.p - (h.lr / c1) * u
        s.m = brained(m)
