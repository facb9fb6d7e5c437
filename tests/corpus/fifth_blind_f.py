"""Blind, fifth set: right Adams of other dialects than PyTorch's AdamW."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, CorrectedRate, Dozat, Later, Maximum, Modulus, Refusing, Zeros
from fourth_blind_frame import Common, lookahead
from register import right


@right()
class FifthRightMaximum(Maximum):
    """PyTorch's AMSGrad: where the new second moment is greater, it is written over the maximum."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = s.top.copy()
        np.copyto(s.top, s.v, where=~(s.v <= s.top))
        return (s.m / c1) * np.reciprocal(np.sqrt(s.top) / math.sqrt(c2) + s.h.eps)


@right()
class FifthRightZeros(Zeros):
    """Chainer's Adam: one list of gradients, in which zeros stand for what is absent; epsilon scaled."""

    def all(self, grads: Sequence[Array | None]) -> None:
        filled = [
            np.zeros_like(s.p) if g is None else self.taken(g) for s, g in zip(self.slots, grads, strict=True)
        ]
        for s, g in zip(self.slots, filled, strict=True):
            self.tick(s)
            self.learn(s, g)
            c1, c2 = corrections(s.h, s.t)
            below = np.sqrt(s.v) / math.sqrt(c2) + s.h.eps / math.sqrt(c2)
            s.p = s.p * (1 - s.h.weight_decay) - (s.h.lr / c1) * (s.m / below)


@right()
class FifthRightLater(Later):
    """transformers' AdamW: what is left of the decay multiplies the difference of parameter and step."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = (1 - s.h.lr * s.h.weight_decay) * np.subtract(s.p, s.h.lr * u)


@right()
class FifthRightContrib(CorrectedRate):
    """Apex' contrib Adam with epsilon inside: numerator and denominator are rows of one array."""

    dialect = "apex.contrib.FusedAdam"
    options = {"eps_inside_sqrt": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        above, below = np.stack([s.m, np.sqrt(s.v + s.h.eps)])
        s.p = s.p - (s.h.lr * math.sqrt(c2) / c1) * (above / below + s.h.weight_decay * s.p)


@right()
class FifthRightRiver(CommonHat):
    """river's AMSGrad: the maximum is folded over two rows, and both corrections make one rate."""

    dialect = "river.AMSGrad"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum.reduce(np.stack([s.v, s.top]))
        return (s.m * (math.sqrt(c2) / c1)) / (np.sqrt(s.top) + s.h.eps)


@right()
class FifthRightDozat(Dozat):
    """PyTorch's NAdam: the share of the gradient is factored out of the sum."""

    def update(self, s: Slot, g: Array) -> None:
        g = g + s.h.weight_decay * s.p
        self.learn(s, g)
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        of_m, of_g = after / (1 - s.mu * after), (1 - now) / (1 - s.mu)
        below = np.sqrt(s.v) * (1 / math.sqrt(corrections(s.h, s.t)[1])) + s.h.eps
        s.p = s.p - (s.h.lr * of_g) * ((g + (of_m / of_g) * s.m) / below)


@right()
class FifthRightSameTime(Frame):
    """timm's NAdamW: the look-ahead is one more interpolation towards the gradient."""

    dialect = "timm.NAdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        ahead = s.h.b1 * s.m + (1 - s.h.b1) * g
        below = (np.sqrt(s.v) + s.h.eps * math.sqrt(c2)) * c1
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - (s.h.lr * math.sqrt(c2)) * (ahead / below)


@right()
class FifthRightModulus(Modulus):
    """Optimisers.jl' AdamW: complex rows are viewed as pairs, whose squares are contracted."""

    def square(self, s: Slot, g: Array) -> Array:
        width = 2 if s.dtype.kind == "c" else 1
        pairs = g.reshape(-1, width)
        sums = np.einsum("ij,ij->i", (1 - s.h.b2) * pairs, pairs)
        return np.broadcast_to(sums[:, None], pairs.shape).reshape(-1)


@right()
class FifthRightHeld(Common):
    """DeepSpeed's AdamW: a filter of what is present comes first, and an empty one ends the step."""

    dialect = "deepspeed.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        pairs = filter(lambda pair: pair[1] is not None, zip(self.slots, grads, strict=True))
        present = dict(enumerate(pairs))
        if not present:
            return
        list(map(self.tick, self.slots))
        for s, g in present.values():
            if g is not None:
                self.update(s, self.taken(g))


@right()
class FifthRightGgml(Refusing):
    """ggml's AdamW: corrections are reciprocals that its seven settings carry."""

    def update(self, s: Slot, g: Array) -> None:
        alpha, b1, b2, eps, wd = s.h.lr, s.h.b1, s.h.b2, s.h.eps, s.h.weight_decay
        beta1h, beta2h = (1 / c for c in corrections(s.h, s.t))
        s.m = s.m * b1 + g * (1 - b1)
        s.v = s.v * b2 + g * ((1 - b2) * g)
        s.p = s.p * (1 - alpha * wd) - alpha * ((s.m * beta1h) / (np.sqrt(s.v) * math.sqrt(beta2h) + eps))
