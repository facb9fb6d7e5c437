"""Blind, third set: slips in clocks, absent gradients, the maximum, Nesterov and the sign."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import FIVE, Array, Coupled, Frame, Slot, corrections
from register import wrong


@wrong("clock isolation", "CLK.1", like="DiffSharp/DiffSharp#292")
class ThirdClockTicksPerLeaf(Frame):
    """Clock: one counter serves all parameters and is incremented for each of them, not once for the step."""

    def tick(self, s: Slot) -> None:
        s.t = max(other.t for other in self.slots) + 1


@wrong("clock schedule", "CLK.2")
class ThirdClockRestartsWithRate(Frame):
    """Clock: a new learning rate sets the count back to 0, while the moments stay."""

    def set_lr(self, lr: float) -> None:
        changed = [s for s in self.slots if s.h.lr != lr]
        super().set_lr(lr)
        for s in changed:
            s.t = 0


@wrong("missing", "F5")
class ThirdLastGradientAgain(Frame):
    """Absent gradients: where none comes, the buffer still holds the last one, which is stepped again."""

    def update(self, s: Slot, g: Array) -> None:
        s.extra["held"] = g.copy()
        super().update(s, g)

    def missed(self, s: Slot) -> None:
        if "held" in s.extra:
            self.tick(s)
            super().update(s, s.extra["held"])


@wrong("missing isolation", "F5")
class ThirdReturnsAtFirstAbsence(Frame):
    """Absent gradients: the loop returns where it should continue, and no later parameter is stepped."""

    def all(self, grads: Sequence[Array | None]) -> None:
        reached = next((i for i, g in enumerate(grads) if g is None), len(grads))
        super().all([g if i < reached else None for i, g in enumerate(grads)])


@wrong("missing state", "F5")
class ThirdForgetsWhenAbsent(Frame):
    """Absent gradients: the moments of a parameter without one are cleared, its count is not."""

    def missed(self, s: Slot) -> None:
        s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong("zero_gradient", "F2", like="pytorch/pytorch#3137")
class ThirdElementsWithoutGradient(Frame):
    """Absent gradients: an element whose gradient is exactly 0 is left out of moments and step."""

    def update(self, s: Slot, g: Array) -> None:
        before = s.p, s.m, s.v
        super().update(s, g)
        s.p, s.m, s.v = (np.where(g == 0, old, new) for old, new in zip(before, (s.p, s.m, s.v), strict=True))


def rooted(s: Slot, used: Array) -> Array:
    """Return the direction with this second moment."""
    c1, c2 = corrections(s.h, s.t)
    return (s.m / (np.sqrt(used) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("amsgrad", "AMS.1", like="pytorch/pytorch#78807")
class ThirdMaximumOfTwo(Coupled):
    """Maximum: it is formed of this second moment and the one before, and never stored."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def learn(self, s: Slot, g: Array) -> None:
        s.top = s.v
        super().learn(s, g)

    def direction(self, s: Slot) -> Array:
        s.top = np.maximum(s.top, s.v)
        return rooted(s, s.top)


@wrong("amsgrad layout", "AMS.1")
class ThirdMaximumOfLeaf(Coupled):
    """Maximum: it is taken over the elements of the array too, so that all are divided by the greatest."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        s.top = np.maximum(s.top, s.v)
        return rooted(s, np.max(s.top, keepdims=True) if s.top.size else s.top)


@wrong("amsgrad moments", "AMS.1", like="chainer/chainer#7661")
class ThirdMaximumIntoSecond(Coupled):
    """Maximum: it is written over the second moment, which goes on from there."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        s.v = s.top = np.maximum(s.top, s.v)
        return rooted(s, s.top)


@wrong("amsgrad", "AMS.1", like="pytorch/pytorch#4314")
class ThirdMaximumRooted(Coupled):
    """Maximum: the root is drawn in the memory that keeps it, and later squares are compared with a root."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        u = rooted(s, np.maximum(s.top, s.v))
        s.top = np.sqrt(np.maximum(s.top, s.v))
        return u


class Scheduled(Coupled):
    """Nesterov's step with Dozat's schedule; a method says what the product and the gradient's share are."""

    dialect = "torch.NAdam"
    hyper = (*FIVE, "momentum_decay")

    def mu(self, s: Slot, k: int) -> float:
        return float(s.h.b1 * (1 - 0.5 * 0.96 ** (k * s.h.momentum_decay)))

    def shares(self, s: Slot, now: float, after: float) -> tuple[float, float]:
        s.mu = s.mu * now
        return after / (1 - s.mu * after), (1 - now) / (1 - s.mu)

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        of_m, of_g = self.shares(s, self.mu(s, s.t), self.mu(s, s.t + 1))
        root = math.sqrt(corrections(s.h, s.t)[1])
        s.p = s.p - (s.h.lr * of_m * s.m + s.h.lr * of_g * g) / (np.sqrt(s.v) / root + s.h.eps)


@wrong("nesterov", "NES.1", like="deeplearning4j/deeplearning4j#6646")
class ThirdProductOfNext(Scheduled):
    """Nesterov: the product that is kept collects the momentum of the next step instead of this one's."""

    def shares(self, s: Slot, now: float, after: float) -> tuple[float, float]:
        s.mu = s.mu * after
        return after / (1 - s.mu * after), (1 - now) / (1 - s.mu)


@wrong("nesterov bias_correction", "NES.1", like="FluxML/Flux.jl#796")
class ThirdPlainPowerBelowGradient(Scheduled):
    """Nesterov: the share of the gradient is divided by 1 - b1**t, and not by the schedule's product."""

    def shares(self, s: Slot, now: float, after: float) -> tuple[float, float]:
        of_m, _ = super().shares(s, now, after)
        return of_m, (1 - now) / corrections(s.h, s.t)[0]


@wrong("maximize decay", "MAX.1", like="kozistr/pytorch_optimizer#528")
class ThirdNegatedTwice(Coupled):
    """Sign: under maximize the gradient is negated in two passes, with the decay added in between."""

    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, -(-g + s.h.weight_decay * s.p))
        s.p = s.p - s.h.lr * self.direction(s)


@wrong("maximize decay", "MAX.1", like="pytorch/pytorch#68164")
class ThirdRateNegated(Frame):
    """Sign: to maximize, the learning rate is negated, and the parameter grows where it should decay."""

    options = {"maximize": "True"}  # noqa: RUF012

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        s.p = s.p + s.h.lr * (self.direction(s) + s.h.weight_decay * s.p)
