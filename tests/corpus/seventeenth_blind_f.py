"""Blind, seventeenth set: right Adams in the structures and orders of evaluation of libraries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fourth_blind_frame import Nadam, lookahead
from ninth_blind_frame_b import Single
from register import right
from seventh_blind_frame import Cautious
from thirteenth_blind_frame_b import KerasMaximum, Mlx
from twelfth_blind_frame import RunningCoupled


@right()
class SeventeenthBRightPaddleRate(RunningCoupled):
    """Paddle's kernel: powers are products, the rate has both corrections, and epsilon the second one."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = self.left(s)
        grad = self.penalized(s, g)
        mom1 = s.h.b1 * s.m + (1 - s.h.b1) * grad
        mom2 = s.h.b2 * s.v + ((1 - s.h.b2) * grad) * grad
        rate = s.h.lr * (math.sqrt(c2) / c1)
        s.p = s.p + (mom1 / (np.sqrt(mom2) + s.h.eps * math.sqrt(c2))) * -rate
        s.m, s.v = mom1, mom2


@right()
class SeventeenthBRightOneStack(Single):
    """candle's AdamW on stacks: parameter and moments of an array are three rows, replaced all at once."""

    dialect = "candle.AdamW"

    def build(self) -> None:
        self.time = 0
        self.stacks = [np.stack([p, np.zeros_like(p), np.zeros_like(p)]) for p in self.params]

    def all(self, grads: Sequence[Array | None]) -> None:
        self.time += 1 if self.stacks else 0
        c1, c2 = self.corrections(self.time) if self.stacks else (1.0, 1.0)
        self.stacks = [
            stack if g is None else self.stepped(stack, g, c1, c2)
            for stack, g in zip(self.stacks, grads, strict=True)
        ]
        self.params = [stack[0] for stack in self.stacks]

    def stepped(self, stack: Array, g: Array, c1: float, c2: float) -> Array:
        shares = np.stack([g * (1 - self.b1), (g * (1 - self.b2)) * g])
        kept = np.array([self.b1, self.b2], stack.dtype).reshape(2, *([1] * g.ndim))
        m, v = moments = stack[1:] * kept + shares
        quotient = m / (np.sqrt(v) * (1 / math.sqrt(c2)) + self.eps)
        p = stack[0] * (1 - self.lr * self.weight_decay) - (self.lr / c1) * quotient
        return np.concatenate([p[np.newaxis], moments])

    def get_state(self) -> dict[str, Any]:
        m, v = (self.together([stack[i] for stack in self.stacks]) for i in (1, 2))
        return {"t": self.time, "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.time = max(self.clocks(state), default=0)
        rows = zip(self.params, self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.stacks = [np.stack(row) for row in rows]


@right()
class SeventeenthBRightDecaysByPlace(Cautious):
    """Cautious decay: the places where signs are opposed are listed, and all others are multiplied."""

    def move(self, s: Slot, u: Array) -> None:
        opposed = np.flatnonzero((np.signbit(u) != np.signbit(s.p)) & (u != 0) & (s.p != 0))
        kept = np.full(s.p.shape, 1 - s.h.lr * s.h.weight_decay).astype(s.p.dtype)
        kept[opposed] = 1
        s.p = s.p * kept - s.h.lr * u


@right()
class SeventeenthBRightNadamInParts(Nadam):
    """Keras' Nadam: m-hat and g-hat are made first, then their sum, and the decay comes before all that."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s, g in zip(self.slots, grads, strict=True):
            self.tick(s)
            if g is not None:
                s.p = s.p - s.p * (s.h.weight_decay * s.h.lr)
                self.assigned(s, self.taken(g))

    def assigned(self, s: Slot, g: Array) -> None:
        u, u_next = lookahead(s, s.t), lookahead(s, s.t + 1)
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        m_hat = s.m * (u_next / (1 - s.mu * u_next)) + g * ((1 - u) / (1 - s.mu))
        v_root = np.sqrt(s.v) * (1 / math.sqrt(corrections(s.h, s.t)[1]))
        s.p = s.p - (m_hat / (v_root + s.h.eps)) * s.h.lr


@right()
class SeventeenthBRightMaximumWhere(KerasMaximum):
    """Keras' AMSGrad: the maximum is selected by a comparison, and the step is a product of three factors."""

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.m = (1 - s.h.b1) * (g - s.m) + s.m
        s.v = ((1 - s.h.b2) * g) * g + s.h.b2 * s.v
        s.top = np.where(s.top >= s.v, s.top, s.v)
        alpha = s.h.lr * (math.sqrt(c2) / c1)
        inverse = np.reciprocal(np.sqrt(s.top) + s.h.eps)
        s.p = s.p * (1 - s.h.lr * s.h.weight_decay) - (s.m * inverse) * alpha


@right()
class SeventeenthBRightFolded(Mlx):
    """MLX's AdamW as a fold: a step is a row of functions of parameter and moments, none in place."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        stages = (
            lambda p, m, v: (p * (1 - h.lr * h.weight_decay), m, v),
            lambda p, m, v: (p, h.b1 * m + (1 - h.b1) * g, v),
            lambda p, m, v: (p, m, h.b2 * v + ((1 - h.b2) * g) * g),
            lambda p, m, v: (p - h.lr * (m / (np.sqrt(v) + h.eps)), m, v),
        )
        s.p, s.m, s.v = reduce(lambda held, stage: stage(*held), stages, (s.p, s.m, s.v))
