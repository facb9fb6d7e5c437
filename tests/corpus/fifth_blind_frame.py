"""The frames of the fifth blind set: right Adams of dialects that the other frames leave out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections
from fourth_blind_frame import FOUR, Common, Hat, lookahead


class Plain(Frame):
    """Algorithm 1, without decay."""

    dialect = "paper"
    hyper: ClassVar[tuple[str, ...]] = FOUR


class Maximum(Coupled):
    """AMSGrad with L2, as PyTorch has it."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (s.m / (np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)) / c1


class Zeros(Hat):
    """Chainer's Adam: what is absent is zero, and the decay has no learning rate."""

    dialect = "chainer.Adam"

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.zeros_like(s.p))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.weight_decay * s.p - s.h.lr * u


class Later(Hat):
    """Epsilon hat, and a decay of the updated parameter, as transformers had it."""

    dialect = "transformers4.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        moved = s.p - s.h.lr * u
        s.p = moved - s.h.lr * s.h.weight_decay * moved


class CorrectedRate(Hat):
    """MXNet's AdamW: the decay is multiplied by the corrected learning rate."""

    dialect = "mxnet.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.p = s.p - s.h.lr * math.sqrt(c2) / c1 * s.h.weight_decay * s.p - s.h.lr * u


class CommonHat(Common):
    """Epsilon hat, no decay, and one clock that ticks in every step."""

    dialect = "river.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


class Refusing(Common):
    """AdamW with one clock, to which every gradient has to be given."""

    dialect = "ggml.AdamW"

    def admit(self, grads: Sequence[Array | None]) -> None:
        if any(g is None for g in grads):
            raise ValueError("a gradient is None")


class Dozat(Coupled):
    """PyTorch's NAdam: each parameter has a product of its own, and L2."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")

    def schedule(self, s: Slot, t: int) -> float:
        return lookahead(s, t)

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.mu *= self.schedule(s, s.t)

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


class Modulus(Frame):
    """Optimisers.jl' AdamW: both parts of a complex number have the second moment of their modulus."""

    dialect = "optimisers_jl.AdamW"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + self.square(s, g)

    def square(self, s: Slot, g: Array) -> Array:
        parts = ((1 - s.h.b2) * g) * g
        if s.dtype.kind != "c":
            return parts
        return np.repeat(parts[0::2] + parts[1::2], 2)
