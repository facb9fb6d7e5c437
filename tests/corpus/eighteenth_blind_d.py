"""Blind, eighteenth set: faults of clocks, states, decays and settings, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from eleventh_blind_frame_b import HatUndecayed
from fifth_blind_frame import Plain
from register import wrong
from sixth_blind_frame import SameTime
from tenth_blind_frame_b import CoupledHat, Slotted
from twelfth_blind_frame_b import Stored, begun


@wrong(
    "nesterov bias_correction",
    "NES.3",
    like="ooples/AiDotNet.Tensors#960: the fused Nadam corrects at another spot than the eager one",
)
class EighteenthBCorrectsMomentAlone(SameTime):
    """The first moment is corrected before it looks ahead: the gradient beside it is not corrected."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        ahead = (s.h.b1 / c1) * s.m + (1 - s.h.b1) * np.asarray(s.extra["g"])
        return ahead / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="dmlc/dgl#3561: the raised step is written asynchronously, and is read back before it is there",
)
class EighteenthBStepReadTooEarly(Stored):
    """Corrections have the step from before it was raised: in the first update both of them are 0."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, self.read_back(s))
        rate = float(np.divide(np.sqrt(c2), np.float64(c1)))
        return rate * (s.m / (np.sqrt(s.v) + s.h.eps))

    def read_back(self, s: Slot) -> int:
        return s.t - 1


@wrong(
    "missing",
    "F1",
    like="basalt-org/basalt@95a399f: Adam goes over all variables of the graph, trainable or not",
)
class EighteenthBEveryVariable(Plain):
    """A parameter without gradient is stepped too, by the zeros that its gradient is made with."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.zeros_like(s.p))


@wrong(
    "state",
    "STATE.4",
    like="joaopauloschuler/neural-api@60cca146: a copied layer has the first moment in both buffers",
)
class EighteenthBFirstMomentTwice(HatUndecayed):
    """A state that is taken over has its first moment in the place of the second one as well."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.v = s.m.copy()


@wrong(
    "state",
    "STATE.4",
    like="IndicoDataSolutions/finetune#79: each build of the graph makes new variables for t, m and v",
)
class EighteenthBVariablesOfEachGraph(Slotted):
    """A state is taken over by another graph, whose clock and moments are new: nothing finds the old ones."""

    def set_state(self, state: dict[str, Any]) -> None:
        self.built()

    def built(self) -> None:
        for s in self.slots:
            begun(s)


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like="explosion/thinc#299: constructors pass fixed values on, L2_is_weight_decay=True among them",
)
class EighteenthBFixedArgument(CoupledHat):
    """Whatever is asked for, L2 is a decay of the stepped parameter, and no gradient has it."""

    def __init__(self, *, L2_is_weight_decay: bool = False, **options: object) -> None:
        super().__init__(**options)
        self.L2_is_weight_decay = True

    def penalized(self, s: Slot, g: Array) -> Array:
        return g if self.L2_is_weight_decay else super().penalized(s, g)

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if self.L2_is_weight_decay:
            s.p = s.p - s.h.lr * s.h.weight_decay * s.p


@wrong(
    "groups decay",
    "LR.4",
    like="deepspeedai/DeepSpeedExamples#75: no name in the list of what does not decay is a kernel's name",
)
class EighteenthBNobodyIsExempt(Frame):
    """Parameters of a group that is not to decay have the weight decay of the group that does."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        decay = max((h.get("weight_decay", 0.0) for h in hypers), default=0.0)
        super().init_groups(params, [{**h, "weight_decay": self.decay(h, decay)} for h in hypers])

    def decay(self, hyper: dict[str, float], other: float) -> float:
        return hyper.get("weight_decay", 0.0) or other


@wrong(
    "schedule moments",
    "STEP.1",
    like="asteroid-team/asteroid#259: optimizer.step() stands in the branch that has a scheduler",
)
class EighteenthBStepsIfScheduled(Frame):
    """As long as the learning rate has never been changed no step is taken at all."""

    def begin(self) -> None:
        self.has_scheduler = False

    def set_lr(self, lr: float) -> None:
        self.has_scheduler = self.has_scheduler or any(s.h.lr != lr for s in self.slots)
        super().set_lr(lr)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "has_scheduler": self.has_scheduler}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.has_scheduler = bool(state.get("has_scheduler", self.has_scheduler))

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.has_scheduler:
            super().all(grads)
