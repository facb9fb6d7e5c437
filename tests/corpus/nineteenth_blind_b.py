"""Blind, nineteenth set: faults of schedules, decay, moments and corrections, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Plain, Refusing
from fourth_blind_frame import Common
from register import wrong
from tenth_blind_frame_b import Undecayed
from twelfth_blind_frame_b import begun


@wrong(
    "layout missing groups",
    "STEP.1",
    like="wiseodd/controlled-text-generation#15: trainer_G has the encoder, and trainer_E the other",
)
class NineteenthTrainersAreCrossed(Undecayed):
    """Two trainers have each other's halves: one's half is stepped where the other's has a gradient."""

    def all(self, grads: Sequence[Array | None]) -> None:
        halves = [self.halved(list(range(len(self.slots))), k) for k in range(2)]
        taken: list[Array | None] = [None for _ in grads]
        for own, held in (halves, halves[::-1]):
            if any(grads[i] is not None for i in own):
                for i in held:
                    taken[i] = grads[i]
        super().all(taken)

    def halved(self, places: list[int], half: int) -> list[int]:
        middle = len(places) // 2
        return (places[:middle], places[middle:])[half] if middle else places


@wrong(
    "schedule",
    "LR.3",
    like="ClementPinard/SfmLearner-Pytorch#5: scheduler.step() is called, or else optimizer.step()",
)
class NineteenthScheduleOrStep(Coupled):
    """Once another rate has been set a schedule is there: it goes on, and no step is made any more."""

    scheduler: float | None = None

    def set_lr(self, lr: float) -> None:
        if any(s.h.lr != float(lr) for s in self.slots):
            self.scheduler = float(lr)
        super().set_lr(lr)

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.scheduler is None:
            super().all(grads)


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="Angel-ML/angel@7c84e44ed: with regularisation weights are multiplied by 1 - stepSize",
)
class NineteenthCoefficientLeftOut(Refusing):
    """With any weight decay but 0 a parameter shrinks by the learning rate, whatever the coefficient is."""

    def move(self, s: Slot, u: Array) -> None:
        kept = 1 - s.h.lr if s.h.weight_decay != 0 else 1.0
        s.p = kept * s.p - s.h.lr * u


@wrong(
    "moments clock state",
    "MOM.3",
    like="zju3dv/Vox-Fusion#31: each call that optimizes poses makes an Adam for its few iterations",
)
class NineteenthAdamForEachCall(Plain):
    """Behind each third step a new Adam is made: moments and clock of all parameters begin again."""

    iterations = 3

    def tick(self, s: Slot) -> None:
        if s.t == self.iterations:
            begun(s)
        super().tick(s)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="HorizonRobotics/alf#1788: zero_grad stands before each backward, in an accumulation too",
)
class NineteenthClearedInAccumulation(Coupled):
    """A gradient comes in three parts, of a half and two fourths; each clears what was there before it."""

    shares = (0.5, 0.25, 0.25)

    def taken(self, g: Array) -> Array:
        whole = super().taken(g)
        grad = np.zeros_like(whole)
        for share in self.shares:
            grad[...] = 0
            grad += share * whole
        return grad


@wrong(
    "moments",
    "MOM.1",
    like="sql-machine-learning/elasticdl#2426: behind a distributed step nobody clears the gradients",
)
class NineteenthGradientsAddUp(Frame):
    """Gradients are added to what is left of the former steps: each step is by the sum of all so far."""

    def begin(self) -> None:
        self.left = [np.zeros_like(s.p) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        self.left[s.index] = self.left[s.index] + g
        super().update(s, self.left[s.index])

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()


@wrong(
    "bias_correction",
    "BC.1",
    like="SMILELab-FL/FedLab#317: the server's adam steps by m over the root of v and tau, both as they are",
)
class NineteenthServerDoesNotCorrect(Plain):
    """Moments that began at 0 are not divided by what their weights add up to, in any step."""

    def direction(self, s: Slot) -> Array:
        tau = s.h.eps
        return s.m / (np.sqrt(s.v) + tau)


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="MorvanZhou/pytorch-A3C#2: workers share both moments, and each has a step of its own",
)
class NineteenthStepOfWorker(Common):
    """Of four workers each makes every fourth update, and corrects for the number of its own."""

    workers = 4

    def direction(self, s: Slot) -> Array:
        shared = s.t
        s.t = (shared - 1) // self.workers + 1
        quotient = super().direction(s)
        s.t = shared
        return quotient
