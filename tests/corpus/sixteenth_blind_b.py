"""Blind, sixteenth set: faults of settings, corrections and groups, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import FIVE, Array, Coupled, Slot, corrections
from fifth_blind_frame import Zeros
from fourth_blind_frame import Hat
from register import wrong
from seventh_blind_frame import Sonnet
from tenth_blind_frame_b import CoupledHat


@wrong(
    "epsilon hyperparameters",
    "EPS.2",
    like="mlpnlp/mlpnlp-nmt#4: the eps that Adam is given by default is 0.1, where 1e-8 is meant",
)
class SixteenthEpsilonOfATenth(Zeros):
    """Epsilon cannot be chosen, and is 0.1: steps are nearly those of momentum."""

    hyper = tuple(name for name in FIVE if name != "eps")

    def begin(self) -> None:
        for s in self.slots:
            s.h.eps = 0.1


@wrong(
    "hyperparameters",
    "STEP.1",
    like="mila-iqia/blocks#588: defaults are of an early version of the paper: 0.002, and a decay of beta",
)
class SixteenthDefaultsOfFirstVersion(Hat):
    """The learning rate is 0.002, and b1 loses a part of 1e-8 in each step, as the paper once had it."""

    dialect = "paper.eps-hat"
    hyper = ("eps",)
    learning_rate = 0.002
    decay_factor = 1 - 1e-8

    def begin(self) -> None:
        for s in self.slots:
            s.h.lr = self.learning_rate

    def learn(self, s: Slot, g: Array) -> None:
        b1 = s.h.b1 * self.decay_factor ** (s.t - 1)
        s.m = b1 * s.m + (1 - b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong(
    "bias_correction decay",
    "BC.1",
    like="intel/analytics-zoo#781: no correction, and a decay behind the moments, unlike PyTorch's Adam",
)
class SixteenthBertForAdam(Coupled):
    """Moments are of the gradient alone and not corrected; the decay joins the update."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps) + s.h.weight_decay * s.p


@wrong(
    "groups",
    "LR.4",
    like="apache/mxnet#9511: multipliers of rate and decay have no effect where no names were given",
)
class SixteenthMultipliersWithoutNames(CoupledHat):
    """All parameters have the learning rate and the weight decay of the first."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, [{**h, **self.common(hypers[0])} for h in hypers])

    def common(self, base: dict[str, float]) -> dict[str, float]:
        return {name: base[name] for name in ("lr", "weight_decay") if name in base}


@wrong(
    "clock moments bias_correction",
    "CLK.2",
    like="keras-team/keras#1004: v is squared where its root is due, and the counter is 0 at first",
)
class SixteenthSquareForRoot(Sonnet):
    """The clock is used before it is raised, so that it is 0 at first; v is squared where a root is due."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, self.counted(s))
        return (s.m / c1) / (self.under(s.v / c2) + s.h.eps)

    def counted(self, s: Slot) -> int:
        return s.t - 1

    def under(self, v: Array) -> Array:
        return np.square(v)
