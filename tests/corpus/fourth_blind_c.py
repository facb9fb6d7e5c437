"""Blind, fourth set: slips in the clock, the learning rate and the settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Hyper, Slot, corrections
from fourth_blind_frame import Common, Uncorrected
from register import wrong


@wrong("groups clock", "LR.4", like="deepspeedai/DeepSpeed#8471, UselessToys/Ecosystem_WebUI#383")
class FourthClockPerGroup(Frame):
    """The count is raised once for each group of settings: with two groups it runs at double speed."""

    groups = 1

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.groups = max(1, len({tuple(sorted(h.items())) for h in hypers}))

    def tick(self, s: Slot) -> None:
        s.t += self.groups


@wrong("clock bias_correction", "CLK.2", like="unslothai/unsloth#10842")
class FourthClockOddSteps(Frame):
    """The count is raised before the step and once more after it: the corrections are those of 1, 3, 5."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, 2 * s.t - 1)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("state clock", "STATE.4", like="pytorch/pytorch#196083")
class FourthClockSharedAfterLoad(Frame):
    """Equal counts are loaded as one and the same object, which each array then raises for all."""

    one = False

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.one = len({s.t for s in self.slots}) == 1

    def tick(self, s: Slot) -> None:
        for other in self.slots if self.one else [s]:
            other.t += 1


@wrong("all_missing clock", "CLK.4", like="deepspeedai/DeepSpeed#8471")
class FourthDeepspeedTicksOverNone(Common):
    """A step over no gradient at all raises the count, which it should leave as it is."""

    dialect = "deepspeed.FusedAdam"


@wrong("schedule", "LR.3", like="jaehyunnn/ViTPose_pytorch#20")
class FourthLayerFactor(Frame):
    """The factor of a layer is multiplied into its learning rate in every step, not once."""

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr * 0.9 ** ((len(self.slots) - s.index) * (s.t - 1))
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong("schedule", "LR.3", like="huggingface/transformers#195")
class FourthBertWarmup(Uncorrected):
    """The learning rate is warmed up over ten steps in here, as the caller does already."""

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr * min(1.0, s.t / 10)
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong("schedule", "LR.3", like="huggingface/transformers#324")
class FourthRatePastTheEnd(Frame):
    """A linear schedule of forty steps is left in, after whose end the rate is negative."""

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr * (1 - (s.t - 1) / 40)
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong("hyperparameters schedule", "LR.3", like="torch/optim#148")
class FourthRateRestoresDefaults(Frame):
    """A new learning rate comes with new settings: all others are the defaults from then on."""

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            if lr != s.h.lr:
                s.h = Hyper(lr=lr, weight_decay=1e-2)


@wrong("schedule", "LR.3", like="apache/mxnet#5060")
class FourthMxnetFirstRateLate(Coupled):
    """The first parameter has the learning rate of the step before: updates are counted behind it."""

    dialect = "mxnet.Adam"

    def begin(self) -> None:
        self.due = self.slots[0].h.lr if self.slots else 0.0

    def set_hyper(self, hyper: dict[str, float]) -> None:
        others = {name: value for name, value in hyper.items() if name != "lr"}
        for s in self.slots:
            s.h.read(hyper if s.index else others)
        self.due = float(hyper.get("lr", self.due))

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        if self.slots:
            self.slots[0].h.lr = self.due

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong("groups", "LR.4", like="deepmodeling/deepmd-kit#5149")
class FourthSettingsOfShape(Frame):
    """Parameters of one shape are stacked and stepped together, with the settings of the first among them."""

    def update(self, s: Slot, g: Array) -> None:
        own, s.h = s.h, next(o.h for o in self.slots if (o.shape, o.dtype) == (s.shape, s.dtype))
        super().update(s, g)
        s.h = own


@wrong("coefficients", "NUM.4", like="flashlight/flashlight#143: float correctedLr")
class FourthStepSizeInFloat(Frame):
    """The step size, corrections within, is a float, also beside arrays of doubles."""

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        size = float(np.float32(s.h.lr * math.sqrt(c2) / c1))
        quotient = s.m / (np.sqrt(s.v) + s.h.eps * math.sqrt(c2))
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - size * quotient
