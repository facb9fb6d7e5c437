"""Blind, fifteenth set: right Adams in the structures and orders of evaluation of libraries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Maximum, Refusing
from fourth_blind_frame import Common
from register import right
from sixth_blind_frame import Running
from tenth_blind_frame_b import Undecayed


@right()
class FifteenthBRightHistoryBlobs(Undecayed):
    """Caffe's solver: blobs of a history, first moments first, and the change takes the parameter's diff."""

    def begin(self) -> None:
        blobs = [np.zeros_like(s.p) for s in (*self.slots, *self.slots)]
        for s in self.slots:
            s.m, s.v = blobs[s.index], blobs[s.index + len(self.slots)]

    def update(self, s: Slot, g: Array) -> None:
        correction = math.sqrt(1 - s.h.b2**s.t) / (1 - s.h.b1**s.t)
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        square = g * (1 - s.h.b2)
        square *= g
        s.v *= s.h.b2
        s.v += square
        diff = np.sqrt(s.v)
        diff += s.h.eps * math.sqrt(1 - s.h.b2**s.t)
        np.divide(s.m, diff, out=diff)
        diff *= s.h.lr * correction
        s.p = s.p - diff


@right()
class FifteenthBRightPowersAsTensors(Running, Refusing):
    """tinygrad's AdamW: powers are arrays of one number, and the rate multiplies quotient and decay."""

    dialect = "tinygrad.AdamW"

    def begin(self) -> None:
        super().begin()
        self.b1_t = [np.array([s.extra["power1"]]) for s in self.slots]
        self.b2_t = [np.array([s.extra["power2"]]) for s in self.slots]

    def tick(self, s: Slot) -> None:
        super().tick(s)
        self.b1_t[s.index] *= s.h.b1
        self.b2_t[s.index] *= s.h.b2

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            self.b1_t[s.index][:] = s.extra["power1"]
            self.b2_t[s.index][:] = s.extra["power2"]

    def update(self, s: Slot, g: Array) -> None:
        kind = s.p.dtype
        s.m = (s.h.b1 * s.m + (1.0 - s.h.b1) * g).astype(kind)
        s.v = (s.h.b2 * s.v + ((1.0 - s.h.b2) * g) * g).astype(kind)
        c1, c2 = ((1.0 - power[s.index]).astype(kind) for power in (self.b1_t, self.b2_t))
        up = (s.m / c1) / (np.sqrt(s.v) / np.sqrt(c2) + s.h.eps) + s.h.weight_decay * s.p
        s.p = s.p - s.h.lr * up


@right()
class FifteenthBRightScales(Common):
    """candle's AdamW: scale_m and scale_v multiply the next moments, and the decay is a factor."""

    dialect = "candle.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        lr_lambda = h.lr * h.weight_decay
        scale_m, scale_v = (1.0 / c for c in corrections(h, s.t))
        next_m = s.m * h.b1 + g * (1.0 - h.b1)
        next_v = s.v * h.b2 + (g * (1.0 - h.b2)) * g
        m_hat = next_m * scale_m
        v_hat = np.sqrt(next_v) * math.sqrt(scale_v)
        next_theta = s.p * (1.0 - lr_lambda)
        adjusted = m_hat / (v_hat + h.eps)
        s.p, s.m, s.v = next_theta - adjusted * h.lr, next_m, next_v


@right()
class FifteenthBRightFunctor(Running):
    """Paddle's AdamW: powers of the next step, epsilon times the root of a correction, a rate below 0."""

    dialect = "paddle.AdamW"

    def powers(self, s: Slot) -> dict[str, float]:
        return {"power1": s.h.b1 ** (s.t + 1), "power2": s.h.b2 ** (s.t + 1)}

    def tick(self, s: Slot) -> None:
        s.t += 1

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = self.left(s)
        lr = s.h.lr * math.sqrt(c2) / c1
        p = s.p - s.h.lr * s.h.weight_decay * s.p
        s.m = s.h.b1 * s.m + (1.0 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1.0 - s.h.b2) * g) * g
        denominator = np.sqrt(s.v) + s.h.eps * math.sqrt(c2)
        s.p = p + (s.m / denominator) * -lr
        s.extra = {"power1": s.extra["power1"] * s.h.b1, "power2": s.extra["power2"] * s.h.b2}


@right()
class FifteenthBRightOutArguments(Maximum):
    """PyTorch's AMSGrad in place, with two scratch arrays that all parameters of a size and dtype share."""

    def begin(self) -> None:
        self.scratch: dict[tuple[int, Any], tuple[Array, Array]] = {}

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        key = s.p.size, s.p.dtype
        if key not in self.scratch:
            self.scratch[key] = np.empty_like(s.p), np.empty_like(s.p)
        a, b = self.scratch[key]
        np.multiply(s.p, h.weight_decay, out=a)
        np.add(g, a, out=a)
        np.multiply(a, 1 - h.b1, out=b)
        np.multiply(s.m, h.b1, out=s.m)
        np.add(s.m, b, out=s.m)
        np.multiply(a, 1 - h.b2, out=b)
        np.multiply(a, b, out=b)
        np.multiply(s.v, h.b2, out=s.v)
        np.add(s.v, b, out=s.v)
        np.maximum(s.top, s.v, out=s.top)
        np.sqrt(s.top, out=a)
        np.divide(a, math.sqrt(c2), out=a)
        np.add(a, h.eps, out=a)
        np.divide(s.m, a, out=a)
        np.multiply(a, h.lr / c1, out=a)
        np.subtract(s.p, a, out=s.p)
