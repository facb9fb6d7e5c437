"""Blind, thirty-ninth set, second half: schedules, resumed runs and decays, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Keras, Optax
from register import right, wrong


@wrong(
    "state schedule",
    "STATE.4",
    like="pytorch/pytorch#60339: CosineAnnealingLR made with a last_epoch has an inconsistent first rate",
)
class ThirtyNinthBFirstRateOfRestart(Frame):
    """The first step behind a load has its rate cut once more, by the next factor of the cosine."""

    dialect = "torch.AdamW"
    t_max = 50
    restarted = False

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.restarted = True

    def all(self, grads: Sequence[Array | None]) -> None:
        rates = [s.h.lr for s in self.slots]
        if self.restarted:
            for s in self.slots:
                now, before = (1 + math.cos(math.pi * t / self.t_max) for t in (s.t + 1, s.t))
                s.h.lr *= now / before if before else 1.0
        self.restarted = False
        super().all(grads)
        for s, lr in zip(self.slots, rates, strict=True):
            s.h.lr = lr


@wrong(
    "schedule layout",
    "LR.1",
    like="ultralytics/ultralytics#23831: warmup_bias_lr=0 is set whatever the optimizer is",
)
class ThirtyNinthBBiasWarmsFromZero(Frame):
    """Arrays of one dimension begin a warmup of ten steps with a learning rate of 0."""

    dialect = "torch.AdamW"
    warmup, warmup_bias_lr = 10, 0.0

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr
        if len(s.shape) <= 1 and s.t <= self.warmup:
            lr = self.warmup_bias_lr + (lr - self.warmup_bias_lr) * (s.t - 1) / self.warmup
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "state schedule",
    "STATE.4",
    like="kohya-ss/sd-scripts#141: a resumed cosine_with_restarts is past its total, and the rate is 0",
)
class ThirtyNinthBPastTheTotal(Frame):
    """Behind a load the schedule's counter is past its total: the rate is 0 for the rest of the run."""

    dialect = "torch.AdamW"
    counter, total = 0, 1000

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if any(s.t for s in self.slots):
            self.counter = self.total + max(s.t for s in self.slots)

    def move(self, s: Slot, u: Array) -> None:
        lr = 0.0 if self.counter >= self.total else s.h.lr
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "state",
    "STATE.4",
    like="karpathy/char-rnn#137: init_from takes neither optim_state nor the decayed learning rate",
)
class ThirtyNinthBInitFrom(Plain):
    """Behind a load the moments and the clock are new, and the learning rate is that of the options again."""

    def begin(self) -> None:
        self.option = [s.h.lr for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        for s, lr in zip(self.slots, self.option, strict=True):
            s.h.lr, s.t = lr, 0
            s.m, s.v = np.zeros_like(s.p), np.zeros_like(s.p)


@wrong(
    "state schedule",
    "STATE.4",
    like="THUDM/slime#1761: the scheduler is advanced by rollout_id*batch on top of what was restored",
)
class ThirtyNinthBAdvancedTwice(Common):
    """A restored schedule is advanced once more, by rollouts times batch: lr and decay are later ones."""

    dialect = "apex.FusedAdam"
    batch, total = 8, 2000
    position = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.position = max((s.t for s in self.slots), default=0) * self.batch

    def all(self, grads: Sequence[Array | None]) -> None:
        given = [(s.h.lr, s.h.weight_decay) for s in self.slots]
        share = min(self.position / self.total, 1.0)
        for s in self.slots:
            s.h.lr *= 0.5 * (1 + math.cos(math.pi * share))
            s.h.weight_decay *= 1 + share
        super().all(grads)
        for s, (lr, weight_decay) in zip(self.slots, given, strict=True):
            s.h.lr, s.h.weight_decay = lr, weight_decay


@wrong(
    "state",
    "STATE.4",
    like="AI-Hypercomputer/maxdiffusion#275: the checkpoint has neither the optimizer's state nor the step",
)
class ThirtyNinthBCheckpointOfParams(Optax):
    """A checkpoint holds the parameters alone: moments and step of a resumed run start from scratch."""

    dialect = "optax.adamw"

    def get_state(self) -> dict[str, Any]:
        return {"params": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.t, s.m, s.v = 0, np.zeros_like(s.p), np.zeros_like(s.p)


@wrong(
    "schedule",
    "LR.1",
    like="tensorflow/swift-models#576: the schedule is set in any case, and its slope is too steep",
)
class ThirtyNinthBSlopeTooSteep(Frame):
    """The learning rate falls to 0 in a straight line, and is there after fifty steps."""

    dialect = "torch.AdamW"
    steps = 50

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr * max(0.0, 1 - (s.t - 1) / self.steps)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@right(claim="torch.Adam", options={"amsgrad": "True"})
class ThirtyNinthBRightMaximumInPlace(Coupled):
    """AMSGrad with L2 in place, in one scratch row for the gradient and one for the denominator."""

    def update(self, s: Slot, g: Array) -> None:
        h, scratch = s.h, np.array(g)
        scratch += h.weight_decay * s.p
        s.m, s.v, s.top = (row.copy() for row in (s.m, s.v, s.top))
        s.m *= h.b1
        s.m += (1 - h.b1) * scratch
        s.v *= h.b2
        s.v += np.multiply(scratch, (1 - h.b2) * scratch, out=scratch)
        np.maximum(s.top, s.v, out=s.top)
        np.sqrt(s.top, out=scratch)
        scratch /= math.sqrt(1 - h.b2**s.t)
        scratch += h.eps
        s.p = s.p - (h.lr / (1 - h.b1**s.t)) * (s.m / scratch)


@right(claim="keras.AdamW")
class ThirtyNinthBRightAssignSub(Keras):
    """Keras' order: alpha on the host, moments moved towards their goal, decay assigned first."""

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        alpha = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        variable = s.p - s.p * (h.weight_decay * h.lr)
        s.m = s.m + (g - s.m) * (1 - h.b1)
        s.v = s.v * h.b2 + g * ((1 - h.b2) * g)
        s.p = variable - (s.m * alpha) / (np.sqrt(s.v) + h.eps)
