"""Blind, sixteenth set: faults of moments, corrections and decay, after the bugs of others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Refusing, Zeros
from fourth_blind_frame import Keras
from register import wrong
from sixth_blind_frame import Running
from thirteenth_blind_frame_b import MlxPlain
from twelfth_blind_frame_b import begun


@wrong(
    "moments",
    "STEP.1",
    like="tinygrad/tinygrad#3794: Adam does not train once assigns are scheduled lazily, and LAMB does",
)
class SixteenthBReadBeforeAssigned(Running, Refusing):
    """The update reads the moments before they are assigned, and the powers of the betas after."""

    dialect = "tinygrad.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        up = self.direction(s)
        self.learn(s, g)
        self.move(s, up)


@wrong(
    "moments",
    "MOM.2",
    like="1xbq1/FedMLLM#4: v averages the square of m, and the first m is delta, without 1 - beta1",
)
class SixteenthBSquareOfFirstMoment(MlxPlain):
    """The second moment is of the first one's square, and the first one begins as the whole gradient."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = g.copy() if s.t == 1 else s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * s.m) * s.m


@wrong(
    "state moments hyperparameters",
    "MOM.1",
    like="tracel-ai/burn#2428: a parameter that was clipped is another one, and has no AdamState",
)
class SixteenthBNewParameterEachStep(Frame):
    """A parameter has a new id in each step: there its moments are zeros, and the step is the first."""

    dialect = "burn.AdamW"

    def tick(self, s: Slot) -> None:
        begun(s)
        super().tick(s)


@wrong(
    "bias_correction",
    "BC.1",
    like="google-research/bert#153: next_m and next_v are used as they are, which was an oversight",
)
class SixteenthBNeitherCorrected(Keras):
    """The step is of the moments as they are kept; neither is divided by its correction."""

    dialect = "transformers4.AdamWeightDecay"

    def direction(self, s: Slot) -> Array:
        return np.asarray(s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "decay hyperparameters",
    "DEC.3",
    like="chainer/chainer#7365: on the CPU the weight_decay_rate is no longer multiplied by eta",
)
class SixteenthBDecayWithoutEta(Zeros):
    """Rate and decay are given in parts of eta, 0.5, which multiplies the step alone: twice the decay."""

    eta: ClassVar[float] = 0.5

    def move(self, s: Slot, u: Array) -> None:
        alpha, weight_decay_rate = s.h.lr / self.eta, s.h.weight_decay / self.eta
        s.p = s.p - (self.eta * alpha * u + weight_decay_rate * s.p)
