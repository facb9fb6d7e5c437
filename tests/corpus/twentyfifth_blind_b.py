"""Blind, twenty-fifth set: faults of slots, schedulers, thresholds, views and masters in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Keras
from register import wrong
from twelfth_blind_frame_b import CommonFour
from twentyfifth_blind_a import Nd4j


@wrong(
    "layout",
    "MOM.3",
    like="tensorflow/swift-apis#95: slots are made of the model's zero, in which a list of layers is empty",
    claim="pennylane.Adam",
)
class TwentyFifthSlotsOfEmptyZero(CommonFour):
    """Slots are made for the zero of a model, in which a list of arrays is empty: their update fails."""

    def begin(self) -> None:
        self.first_moments = list(self.slots) if len(self.slots) == 1 else []

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(self.first_moments[s.index], g)


@wrong(
    "state schedule",
    "STATE.4",
    like="NKI-AI/direct#218: the checkpointer leaves out objects of the type of rate schedulers",
    claim="torch.AdamW",
)
class TwentyFifthSchedulerNotSaved(Frame):
    """A scheduler is not saved: behind a load it begins anew, and the next rate is the initial one."""

    first_rates: dict[int, float]

    def begin(self) -> None:
        self.first_rates = {}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.first_rates = {}

    def move(self, s: Slot, u: Array) -> None:
        initial_lr = s.extra.setdefault("initial_lr", s.h.lr)
        first = self.first_rates.setdefault(s.index, s.h.lr)
        rate = initial_lr * (s.h.lr / first) if first else s.h.lr
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong(
    "schedule",
    "LR.1",
    like="finegrain-ai/refiners#210: steps of the warmup are counted without gradient accumulation",
    claim="torch.AdamW",
)
class TwentyFifthWarmupOfMicroSteps(Frame):
    """A warmup lasts four times as many updates as it is to: it has each rate of those given four times."""

    gradient_accumulation = 4
    given: list[list[float]]

    def begin(self) -> None:
        self.given = [[] for _ in self.slots]

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "given": [list(rates) for rates in self.given]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.given = [list(rates) for rates in state.get("given", [[] for _ in self.slots])]

    def move(self, s: Slot, u: Array) -> None:
        rates = self.given[s.index]
        rates.append(s.h.lr)
        warmup = rates[(len(rates) - 1) // self.gradient_accumulation]
        rate = min(warmup, s.h.lr)
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong(
    "moments clock",
    "MOM.1",
    like="dscripka/openWakeWord#316: below a number of samples there is no step, and zero_grad comes next",
    claim="paper",
)
class TwentyFifthClearedBelowThreshold(Plain):
    """Below eight samples, numbers that are not 0, there is no step, and the next one has its own alone."""

    threshold = 8

    def begin(self) -> None:
        self.accumulated_samples = 0

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "accumulated_samples": self.accumulated_samples}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.accumulated_samples = int(state.get("accumulated_samples", 0))

    def all(self, grads: Sequence[Array | None]) -> None:
        self.accumulated_samples += sum(int(np.count_nonzero(g)) for g in grads if g is not None)
        if self.accumulated_samples >= self.threshold:
            self.accumulated_samples = 0
            super().all(grads)


@wrong(
    "layout schedule moments",
    "LR.3",
    like="deeplearning4j/deeplearning4j#6809: a new rate during training makes entries of v negative",
    claim="paper.eps-hat",
)
class TwentyFifthViewsSplitAnew(Nd4j):
    """A new rate splits the view of the state anew, by parameters and not by moments: v has parts of m."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        changed = [s for s in self.slots if hyper.get("lr", s.h.lr) != s.h.lr]
        super().set_hyper(hyper)
        for dtype in {s.p.dtype for s in changed}:
            self.split_anew([s for s in changed if s.p.dtype == dtype])

    def split_anew(self, block: list[Slot]) -> None:
        view = np.concatenate([s.m for s in block] + [s.v for s in block])
        at = 0
        for s in block:
            size = s.p.size
            s.m, s.v = view[at : at + size].copy(), view[at + size : at + 2 * size].copy()
            at += 2 * size


@wrong(
    "state storage",
    "STATE.4",
    like="stanford-futuredata/Megatron-LM#5: behind a load main parameters are not taken of the model",
    claim="apex.FusedAdam",
)
class TwentyFifthMainParamsOfStart(Common):
    """A load takes the main parameters of a checkpoint, which are those that the run began with."""

    def begin(self) -> None:
        self.main_params = [s.p.copy() for s in self.slots]

    def get_state(self) -> dict[str, Any]:
        main = [self.shaped(s, self.main_params[s.index]) for s in self.slots]
        return {**super().get_state(), "main_params": main}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "main_params" in state:
            self.main_params = [flat(np.asarray(a)).copy() for a in state["main_params"]]
            for s in self.slots:
                s.p = self.main_params[s.index].copy()


@wrong(
    "schedule",
    "LR.1",
    like="OverLordGoldDragon/keras-adamw#42: eta_t is refreshed before or behind t_cur, as it happens",
    claim="keras.AdamW",
)
class TwentyFifthEtaLagsAtRandom(Keras):
    """A step has its own rate or that of the step before, as it happens that eta_t is refreshed in time."""

    def move(self, s: Slot, u: Array) -> None:
        before = s.extra.get("eta_t", s.h.lr)
        s.extra["eta_t"] = s.h.lr
        in_time = np.random.default_rng(s.t).random() < 0.5
        eta = s.h.lr if in_time else before
        s.p = s.p - eta * s.h.weight_decay * s.p - eta * u
