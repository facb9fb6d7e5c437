"""Blind, thirty-fifth set, second half: faults of hooks, schedulers and workers, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from eighth_blind_frame import Relative
from eleventh_blind_frame_b import HatUndecayed
from fourth_blind_frame import Keras
from register import wrong
from tenth_blind_frame_b import CoupledHat
from thirteenth_blind_frame_b import Mlx


@wrong(
    "decay loss_scale",
    "DEC.1",
    like="chainer/chainer#7491: the hook of WeightDecay meets gradients that the loss scale is still in",
)
class ThirtyFifthBHookMeetsScaled(CoupledHat):
    """The penalty joins a gradient that is 128 times too large, and is divided by 128 together with it."""

    dialect = "mxnet.Adam"
    loss_scale = 2.0**7

    def penalized(self, s: Slot, g: Array) -> Array:
        scaled = g * self.loss_scale
        scaled = scaled + s.h.weight_decay * s.p
        return scaled / self.loss_scale


@wrong(
    "clock bias_correction state",
    "CLK.2",
    like="nntrainer/nntrainer#675: iterations begin at 1 where Adam adds 1, and a resume loses the epoch",
)
class ThirtyFifthBIterationFromOne(HatUndecayed):
    """Iterations count from 1 and the correction adds 1 to them; behind a load they count anew."""

    dialect = "paper.eps-hat"

    def direction(self, s: Slot) -> Array:
        iteration = s.t
        c1, c2 = corrections(s.h, iteration + 1)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "t": 0})


@wrong(
    "decay schedule",
    "DEC.7",
    like="chainer/chainer#7516: AdamW on the CPU has no eta in the term of the decay",
)
class ThirtyFifthBDecayWithoutEta(Relative):
    """The multiplier of the schedule is in the step, and the decay is at its full rate in each step."""

    dialect = "flashoptim.FlashAdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - (s.h.lr * u + s.h.weight_decay * s.p)


@wrong(
    "state schedule",
    "STATE.4",
    like="awslabs/sockeye#924: the scheduler is in the optimizer, is not saved, and is made anew",
)
class ThirtyFifthBSchedulerInside(CoupledHat):
    """Behind a load the scheduler is a new one: the run's rates come once more, from the first one on."""

    dialect = "mxnet.Adam"

    def begin(self) -> None:
        self.rates: list[list[float]] = []  # what the scheduler gives, update after update
        self.restarted_at = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        given = [s.h.lr for s in self.slots]
        self.rates.append(given)
        for s, lr in zip(self.slots, self.rates[len(self.rates) - 1 - self.restarted_at], strict=True):
            s.h.lr = lr
        try:
            super().all(grads)
        finally:
            for s, lr in zip(self.slots, given, strict=True):
                s.h.lr = lr

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "rates": [list(row) for row in self.rates]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.rates = [list(row) for row in state.get("rates", [])]
        self.restarted_at = len(self.rates)


@wrong(
    "bias_correction",
    "BC.1",
    like="unslothai/unsloth-zoo#663: arguments without adam_bias_correction are read as False",
)
class ThirtyFifthBCorrectionMissing(Mlx):
    """The correction is asked for under a name that arguments do not have: no moment is corrected."""

    dialect = "mlx.AdamW"
    options = {"bias_correction": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t) if getattr(s.h, "adam_bias_correction", False) else (1.0, 1.0)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "sharding layout moments",
    "MOM.1",
    like="hill-a/stable-baselines#50: with two workers MpiAdam's parameters are soon not the same",
)
class ThirtyFifthBWorkersDrift(HatUndecayed):
    """Each of two workers steps by its own half of the elements; the hundredth update fails for it."""

    dialect = "paper.eps-hat"
    workers = 2

    def begin(self) -> None:
        self.others = [replace(s, p=s.p.copy(), m=s.m.copy(), v=s.v.copy()) for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def update(self, s: Slot, g: Array) -> None:
        other = self.others[s.index]
        other.t = s.t
        for rank, worker in enumerate((s, other)):
            local = np.zeros_like(g)
            local[rank :: self.workers] = g[rank :: self.workers] * self.workers
            super().update(worker, local)
        if s.t % 100 == 0:
            assert np.array_equal(s.p, other.p), "parameters of the workers differ"


@wrong(
    "state hyperparameters",
    "STATE.4",
    like="tensorflow/tensorflow#33842: hypers of a checkpoint are restored when the model is compiled next",
)
class ThirtyFifthBHypersRestoredLate(Keras):
    """The first step behind a load writes the saved rate and betas over those that were given since."""

    dialect = "keras.Adam"
    hypers = ("lr", "b1", "b2")

    def begin(self) -> None:
        self.deferred: list[dict[str, float]] = []

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, saved in zip(self.slots, self.deferred, strict=False):
            s.h.read(saved)
        self.deferred = []
        super().all(grads)

    def get_state(self) -> dict[str, Any]:
        hypers = [{name: getattr(s.h, name) for name in self.hypers} for s in self.slots]
        return {**super().get_state(), "hyper": hypers}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.deferred = [dict(saved) for saved in state.get("hyper", [])]


@wrong(
    "state schedule",
    "STATE.4",
    like="awslabs/sockeye#369: of two references to the scheduler a resume replaces one, not the optimizer's",
)
class ThirtyFifthBTwoReferences(CoupledHat):
    """Behind a load rates go to the scheduler that was loaded; the optimizer has a fresh one."""

    dialect = "mxnet.Adam"

    def begin(self) -> None:
        self.fresh = [s.h.lr for s in self.slots]
        self.loaded: dict[str, float] | None = None

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if self.loaded is not None and "lr" in hyper:
            self.loaded["lr"] = hyper["lr"]
            hyper = {name: x for name, x in hyper.items() if name != "lr"}
        super().set_hyper(hyper)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.loaded = {}
        for s, lr in zip(self.slots, self.fresh, strict=True):
            s.h.lr = lr
