"""Blind, twelfth set: reports of wrong moments, of wrong corrections and of a wrong look-ahead."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, lookahead
from register import wrong
from sixth_blind_frame import SameTime, Wanting
from tenth_blind_frame import ModulusPlain
from twelfth_blind_frame import CoupledCommon


@wrong(
    "epsilon moments",
    "EPS.1",
    like="juntang-zhuang/Adabelief-Optimizer#61: add_ gathers epsilon in the second moment, step by step",
)
class TwelfthEpsilonGathered(CoupledCommon):
    """Epsilon is added in place to the second moment in each step, and then to the root."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.v += s.h.eps


@wrong("moments", "MOM.1", like="lmjohns3/downhill#18: beta1 * beta1_decay ** t_tm1, of 1 - 1e-6 by default")
class TwelfthFirstBetaShrinks(Wanting):
    """The first moment learns by a b1 that each step makes smaller by a millionth."""

    dialect = "numpyro.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        b1 = s.h.b1 * (1 - 1e-6) ** (s.t - 1)
        s.m = b1 * s.m + (1 - b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("complex", "CPX.2", like="FluxML/Flux.jl#1776: x^2 in the second moment, and not x * conj(x)")
class TwelfthComplexWithoutConjugate(ModulusPlain):
    """Of a complex gradient the square itself is averaged, and the complex root of that divides."""

    def update(self, s: Slot, g: Array) -> None:
        if s.dtype.kind != "c":
            super().update(s, g)
            return
        c1, c2 = corrections(s.h, s.t)
        z, m, v = (a.view(s.dtype) for a in (np.ascontiguousarray(g), s.m, s.v))
        m = s.h.b1 * m + (1 - s.h.b1) * z
        v = s.h.b2 * v + (1 - s.h.b2) * z * z
        u = m / c1 / (np.sqrt(v / c2) + s.h.eps)
        s.m, s.v = m.view(s.p.dtype), v.view(s.p.dtype)
        self.move(s, u.view(s.p.dtype))


@wrong("bias_correction", "BC.2", like="ufal/npfl114#79: 1 - beta^2 stands for 1 - beta_2^t")
class TwelfthTwoForTheClock(Plain):
    """The second moment is divided by 1-b2**2 in every step: the 2 of b2 is its exponent."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - s.h.b1**s.t, 1 - s.h.b2**2
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "bias_correction", "BC.1", like="Yorko/stanford_cs231n_2019#1: the number of the iteration is not used"
)
class TwelfthIterationUnused(Wanting):
    """The clock ticks and is not used: nothing is corrected."""

    dialect = "autograd.adam"

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong("bias_correction clock", "CLK.2", like="tracel-ai/burn#630: time begins at 0, and NaN appears")
class TwelfthTimeFromZero(Coupled):
    """A clock that begins at 0 ticks behind the corrections, of which the first ones are 0."""

    dialect = "burn.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = (s.m.dtype.type(c) for c in corrections(s.h, s.t - 1))
        return np.asarray((s.m / c1) / (np.sqrt(s.v / c2) + s.h.eps))


@wrong("bias_correction", "BC.1", like="ml-explore/mlx-swift#400: Adam and AdamW have no biasCorrection")
class TwelfthCorrectionNotOffered(Common):
    """The option that asks for corrections is not there: nothing is corrected."""

    dialect = "mlx.AdamW"
    options = {"bias_correction": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong(
    "nesterov", "NES.3", like="rwth-i6/returnn#766: NAdam of TF 2 has a momentum cache, that of TF 1 has none"
)
class TwelfthScheduleInLookahead(SameTime):
    """The look-ahead follows Dozat's schedule of momentum, which the claim does not have."""

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.mu *= lookahead(s, s.t)

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))
