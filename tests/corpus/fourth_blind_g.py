"""Blind, fourth set: right Adams of other dialects than PyTorch's, in forms of their own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import FIVE, Array, Coupled, Slot, corrections, flat
from fourth_blind_frame import FOUR, Ahead, Common, Hat, Keras, Nadam, Optax, Uncorrected
from register import right


@right()
class FourthRightKeras(Keras):
    """Keras' Adam, whose moments go nearer in place and whose rate takes both corrections in."""

    dialect = "keras.Adam"

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        s.m += (1 - s.h.b1) * (g - s.m)
        s.v += g * ((1 - s.h.b2) * g) - (1 - s.h.b2) * s.v
        s.p -= s.h.lr * s.h.weight_decay * s.p
        below = np.sqrt(s.v)
        below += s.h.eps
        s.p -= np.divide(s.m, below, out=below) * (s.h.lr * math.sqrt(c2) / c1)


@right()
class FourthRightKerasMaximum(Keras):
    """Keras' AMSGrad, in which the maximum is chosen where the second moment is not below it."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.where(s.v < s.top, s.top, s.v)
        return (s.m / c1) / ((np.sqrt(s.top) + s.h.eps) / math.sqrt(c2))


@right()
class FourthRightKerasNadam(Nadam):
    """Keras' Nadam: moment and gradient are multiplied by the reciprocal one after the other."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        h = s.h
        now, after = (h.b1 - h.b1 / 2 * math.pow(0.96, h.momentum_decay * t) for t in (s.t, s.t + 1))
        over = 1 / (np.sqrt(s.v) * (1 / math.sqrt(corrections(h, s.t)[1])) + h.eps)
        p = s.p - h.lr * h.weight_decay * s.p
        p = p - (h.lr * (1 - now) / (1 - s.mu)) * (g * over)
        s.p = p - (h.lr * after / (1 - s.mu * after)) * (s.m * over)


@right()
class FourthRightOptax(Optax):
    """optax' AdamW as a pipeline: a generator makes the update of each leaf, a loop applies it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        updates = (self.made(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None)
        for s, change in zip(self.slots, updates, strict=True):
            s.p = s.p + change

    def made(self, s: Slot, g: Array) -> Array:
        self.tick(s)
        self.learn(s, g)
        return -s.h.lr * (self.direction(s) + s.h.weight_decay * s.p)


@right()
class FourthRightOptaxMaximum(Optax):
    """optax' AMSGrad: the maximum is reduced over a table of two rows, the corrections are reciprocals."""

    dialect = "optax.amsgrad"
    hyper = (*FOUR, "eps_root")

    def direction(self, s: Slot) -> Array:
        over1, over2 = (1 / c for c in corrections(s.h, s.t))
        s.top = np.maximum.reduce([s.top, over2 * s.v])
        return over1 * (s.m / (np.sqrt(s.top + s.h.eps_root) + s.h.eps))


@right()
class FourthRightAhead(Ahead):
    """optax' NAdamW: step sizes are formed first, and a reciprocal is multiplied in last."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        of_m = s.h.lr * s.h.b1 / (1 - s.h.b1 ** (s.t + 1))
        of_g = s.h.lr * (1 - s.h.b1) / (1 - s.h.b1**s.t)
        decayed = s.p - s.h.lr * s.h.weight_decay * s.p
        s.p = decayed - (of_m * s.m + of_g * g) * np.reciprocal(self.root(s))


@right()
class FourthRightMxnet(Hat):
    """MXNet's AdamW: the corrected rate multiplies the sum of quotient and decay."""

    dialect = "mxnet.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        both = s.m / (np.sqrt(s.v) + s.h.eps) + s.h.weight_decay * s.p
        s.p = s.p - (s.h.lr / c1 * math.sqrt(c2)) * both


@right()
class FourthRightMxnetCoupled(Coupled):
    """MXNet's Adam: penalty and gradient are added in the memory of the penalty; epsilon is scaled."""

    dialect = "mxnet.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        pull = np.multiply(s.p, s.h.weight_decay)
        return np.add(pull, g, out=pull)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / c1) / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps / math.sqrt(c2))


@right()
class FourthRightChainer(Hat):
    """Chainer's Adam: for what is absent, each array takes its part of one row of zeros."""

    dialect = "chainer.Adam"

    def begin(self) -> None:
        self.zeros = np.zeros(max((s.p.size for s in self.slots), default=0))

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, self.zeros[: s.p.size].astype(s.p.dtype))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.weight_decay * s.p + s.h.lr * u)


@right()
class FourthRightApex(Common):
    """Apex' AdamW: what is present of a dtype and has one count lies end to end, with a row of settings."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.tick(s)
        own = [(s, flat(g)) for s, g in zip(self.slots, grads, strict=True) if g is not None]
        for dtype in {s.p.dtype for s, _ in own}:
            self.together([pair for pair in own if pair[0].p.dtype == dtype], dtype)

    def together(self, own: list[tuple[Slot, Array]], dtype: np.dtype[Any]) -> None:
        sizes = [g.size for _, g in own]

        def row(values: list[float]) -> Array:
            return np.repeat(np.array(values), sizes).astype(dtype)

        p, m, v = (np.concatenate([getattr(s, name) for s, _ in own]) for name in "pmv")
        g, settings = np.concatenate([g for _, g in own]), [s.h for s, _ in own]
        c = [corrections(s.h, s.t) for s, _ in own]
        m += row([1 - h.b1 for h in settings]) * (g - m)
        v += row([1 - h.b2 for h in settings]) * g * g - row([1 - h.b2 for h in settings]) * v
        below = np.sqrt(v) / row([math.sqrt(c2) for _, c2 in c]) + row([h.eps for h in settings])
        p -= row([h.lr * h.weight_decay for h in settings]) * p
        p -= row([h.lr / c1 for h, (c1, _) in zip(settings, c, strict=True)]) * (m / below)
        ends = list(itertools.accumulate(sizes))[:-1]
        for name, long in (("p", p), ("m", m), ("v", v)):
            for (s, _), part in zip(own, np.split(long, ends), strict=True):
                setattr(s, name, part.copy())


@right()
class FourthRightBert(Uncorrected):
    """BertAdam: quotient and decay share the learning rate, and the moments are weighed in place."""

    def update(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += g * (1 - s.h.b1)
        s.v *= s.h.b2
        s.v += np.square(math.sqrt(1 - s.h.b2) * g.astype(np.float64)).astype(s.v.dtype)
        s.p = s.p - s.h.lr * (s.m / (np.sqrt(s.v) + s.h.eps) + s.h.weight_decay * s.p)


@right()
class FourthRightTensorFlow(Keras):
    """TensorFlow 1's Adam: running powers begin at the betas and are multiplied on behind the step."""

    dialect = "tf1.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        key = f"{s.h.b1} {s.h.b2}"
        t, one, two = s.extra.get(key, (0, 1.0, 1.0))
        if t != s.t:
            one, two = s.h.b1**s.t, s.h.b2**s.t
        s.extra = {key: (s.t + 1, one * s.h.b1, two * s.h.b2)}
        return (math.sqrt(1 - two) / (1 - one)) * (s.m / (np.sqrt(s.v) + s.h.eps))


@right()
class FourthRightClimb(Coupled):
    """PyTorch's NAdam to maximize: descent of the mirror image, whose parameter is the negative one."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")
    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        h, mirrored = s.h, -s.p
        g = g + h.weight_decay * mirrored
        s.m = h.b1 * s.m - (1 - h.b1) * g
        s.v = h.b2 * s.v + ((1 - h.b2) * g) * g
        now, after = (h.b1 * (1 - 0.5 * 0.96 ** (t * h.momentum_decay)) for t in (s.t, s.t + 1))
        s.mu *= now
        ahead = ((1 - now) / (1 - s.mu)) * g - (after / (1 - s.mu * after)) * s.m
        below = np.sqrt(s.v) / math.sqrt(corrections(h, s.t)[1]) + h.eps
        s.p = -(mirrored - h.lr * (ahead / below))
