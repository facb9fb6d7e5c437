"""Blind, eighth set: slips in AMSGrad, in ascending, in complex numbers and in looking ahead."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from eighth_blind_frame import Ascending, AscendingDecoupled
from fifth_blind_frame import Dozat, Modulus, Zeros
from fourth_blind_frame import Ahead, Nadam, lookahead
from register import wrong


@wrong("amsgrad", "AMS.1", like="an amsgrad that is switched on after a warm-up of ten steps")
class EighthMaximumFromEleventh(Zeros):
    """The maximum of the second moments begins with the eleventh update; before, the present one counts."""

    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v) if s.t > 10 else s.v
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


@wrong("maximize", "MAX.1", like="`sign = -sign` inside of the loop over the parameters, not in front of it")
class EighthSignAlternates(Ascending):
    """Every second parameter is minimized, where all should be maximized."""

    def turned(self, s: Slot, g: Array) -> Array:
        return g if s.index % 2 else -g


@wrong(
    "maximize decay", "MAX.1", like="`weight_decay = -weight_decay if maximize`, in the place of the gradient"
)
class EighthAscentTurnsDecay(AscendingDecoupled):
    """To maximize turns the sign of the decay, and not that of the gradient."""

    def turned(self, s: Slot, g: Array) -> Array:
        return g

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + s.h.lr * s.h.weight_decay * s.p - s.h.lr * u


@wrong("maximize complex", "MAX.1", like="a gradient whose real part alone is negated")
class EighthRealPartAscends(Ascending):
    """To maximize negates the real part of a complex gradient, and leaves the imaginary part."""

    dialect = "torch.Adam"

    def turned(self, s: Slot, g: Array) -> Array:
        turned = -g
        if s.dtype.kind == "c":
            turned[1::2] = g[1::2]
        return turned


@wrong("complex", "CPX.2", like="a modulus of the greater part, to spare a root")
class EighthGreaterPart(Modulus):
    """The square of the modulus is taken to be that of the greater one of both parts."""

    dialect = "optimisers_jl.Adam"
    hyper = Frame.hyper[:4]

    def square(self, s: Slot, g: Array) -> Array:
        parts = ((1 - s.h.b2) * g) * g
        if s.dtype.kind != "c":
            return parts
        return np.repeat(np.maximum(parts[0::2], parts[1::2]), 2)


@wrong("complex", "CPX.3", like="the derivative by the conjugate, which is half of the gradient")
class EighthHalfDerivative(Coupled):
    """Of a complex gradient the half is taken, and the penalty joins that whole."""

    dialect = "fastai.Adam"
    options = {"decouple_wd": "False"}  # noqa: RUF012

    def penalized(self, s: Slot, g: Array) -> Array:
        return super().penalized(s, 0.5 * g if s.dtype.kind == "c" else g)


@wrong("complex moments", "CPX.3", like="a complex moment that is handed on by .H, the conjugate transpose")
class EighthMomentConjugated(Frame):
    """What is left of a complex first moment is conjugated, each time before a gradient joins it."""

    dialect = "torchao.AdamW"

    def learn(self, s: Slot, g: Array) -> None:
        if s.dtype.kind == "c":
            s.m = s.m.copy()
            s.m[1::2] *= -1
        super().learn(s, g)


@wrong("nesterov hyperparameters", "NES.1", like="0.96 ** (step // 250), for 0.96 ** (step * 0.004)")
class EighthScheduleInWholeSteps(Dozat):
    """The exponent of the momentum's schedule is a whole number, rounded down."""

    def schedule(self, s: Slot, t: int) -> float:
        return s.h.b1 * (1 - 0.5 * 0.96 ** math.floor(t * s.h.momentum_decay))


@wrong("missing nesterov", "F1", like="a product that is multiplied on in front of the test for a gradient")
class EighthProductGoesOn(Dozat):
    """Where a gradient is absent the product of the schedule is multiplied on, and nothing else happens."""

    def missed(self, s: Slot) -> None:
        s.mu *= self.schedule(s, s.t + 1)


@wrong(
    "nesterov moments", "NES.1", like="Dozat 2016, whose moment is averaged by mu_t, where keras takes beta_1"
)
class EighthMomentHasSchedule(Nadam):
    """The first moment is averaged by the schedule of the momentum, and not by the first beta."""

    def learn(self, s: Slot, g: Array) -> None:
        now = lookahead(s, s.t)
        s.m = now * s.m + (1 - now) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("nesterov", "NES.2", like="the moment that came as an argument, where the updated one is meant")
class EighthLooksFromBefore(Ahead):
    """The look-ahead starts from the moment as it was before this gradient."""

    def learn(self, s: Slot, g: Array) -> None:
        s.extra["before"] = s.m
        super().learn(s, g)

    def ahead(self, s: Slot, g: Array) -> Array:
        m, s.m = s.m, s.extra.pop("before")
        u = super().ahead(s, g)
        s.m = m
        return u
