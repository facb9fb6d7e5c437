"""Blind, twenty-first set: faults of rates, decays, masters and partitions, after the bugs of others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Keras
from register import wrong
from seventh_blind_frame import InsideCorrected


@wrong(
    "schedule",
    "LR.3",
    like="keras-team/keras#4043: a typo in Adamax, whose step has the rate that is not decayed",
)
class TwentyFirstBUndecayedRate(Keras):
    """The rate is decayed in a variable that nothing reads: all steps are made with the first one."""

    dialect = "keras.Adam"

    def begin(self) -> None:
        self.lr_t = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if "lr" in hyper:
            self.lr_t = [float(hyper["lr"]) for _ in self.slots]
        super().set_hyper({name: value for name, value in hyper.items() if name != "lr"})


@wrong(
    "decay",
    "DEC.2",
    like="OverLordGoldDragon/keras-adamw#52: weight decay is normalized incorrectly",
)
class TwentyFirstBDecayOverRoot(Keras):
    """The decay is normalized by the root of the iterations so far, and so becomes smaller in each step."""

    def move(self, s: Slot, u: Array) -> None:
        normalized = s.h.weight_decay * math.sqrt(1 / s.t)
        s.p = s.p - s.h.lr * normalized * s.p - s.h.lr * u


@wrong(
    "state",
    "STATE.4",
    like="deepspeedai/DeepSpeed#762: fp16 weights are loaded, and the fp32 copy stays at its random start",
)
class TwentyFirstBMastersStayRandom(Frame):
    """Behind a load the master copy is that of a model just made: a step writes random weights back."""

    dialect = "deepspeed.CPUAdam"
    seed, spread = 1234, 0.02

    def begin(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Copy the weights to their masters."""
        self.masters = [s.p.copy() for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        rng = np.random.default_rng(self.seed)
        self.masters = [rng.normal(0, self.spread, s.p.size).astype(s.p.dtype) for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        s.p = self.masters[s.index]
        super().move(s, u)
        self.masters[s.index] = s.p.copy()


@wrong(
    "bias_correction clock",
    "BC.1",
    like="tiny-dnn/tiny-dnn#823: the first iteration has the squares of beta1 and beta2, not these",
)
class TwentyFirstBPowersMultipliedFirst(InsideCorrected):
    """Powers begin with the betas and are multiplied before they are used: the first are squares."""

    def begin(self) -> None:
        for s in self.slots:
            self.restart(s)

    def restart(self, s: Slot) -> None:
        s.extra = {"b1_t": s.h.b1 ** (s.t + 1), "b2_t": s.h.b2 ** (s.t + 1)}

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.extra["b1_t"] *= s.h.b1
        s.extra["b2_t"] *= s.h.b2

    def left(self, s: Slot) -> tuple[float, float]:
        return 1 - s.extra["b1_t"], 1 - s.extra["b2_t"]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if {"b1", "b2"} & hyper.keys():
            raise NotImplementedError("the powers belong to their betas")
        super().set_hyper(hyper)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "extra" not in state:
            self.begin()


@wrong(
    "state sharding",
    "STATE.4",
    like="deepspeedai/DeepSpeed#344: the state of ZeRO-Offload's Adam, on another number of GPUs than saved",
)
class TwentyFirstBOtherWorldSize(Frame):
    """Moments are saved by four ranks and loaded by two, each of which takes its own number's piece alone."""

    dialect = "deepspeed.CPUAdam"
    saved_by, loaded_by = 4, 2

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        by_dtype: dict[Any, list[Slot]] = {}
        for s in self.slots:
            by_dtype.setdefault(s.p.dtype, []).append(s)
        for slots in by_dtype.values():
            ends = np.cumsum([s.p.size for s in slots])[:-1]
            ms = self.loaded(np.concatenate([s.m for s in slots]))
            vs = self.loaded(np.concatenate([s.v for s in slots]))
            for s, m, v in zip(slots, np.split(ms, ends), np.split(vs, ends), strict=True):
                s.m, s.v = m.copy(), v.copy()

    def loaded(self, row: Array) -> Array:
        """Return what two ranks have of a row that four have saved."""
        padded = np.pad(row, (0, -row.size % self.saved_by))
        pieces = np.split(padded, self.saved_by)
        held = np.zeros((self.loaded_by, padded.size // self.loaded_by), row.dtype)
        for rank in range(self.loaded_by):
            held[rank, : pieces[rank].size] = pieces[rank]
        return held.reshape(-1)[: row.size]


@wrong(
    "groups decay",
    "LR.4",
    like="ServiceNow/Fast-LLM#542: norms and biases have lost the flag that kept them out of the decay",
)
class TwentyFirstBFlagOfNormsLost(Common):
    """Norms and biases, arrays of less than two axes, decay with the others, also where their decay is 0."""

    dialect = "apex.FusedAdam"

    def decay_of(self, s: Slot) -> float:
        if s.h.weight_decay == 0 and len(s.shape) < 2:
            return max(other.h.weight_decay for other in self.slots)
        return s.h.weight_decay

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.decay_of(s) * s.p - s.h.lr * u


@wrong(
    "epsilon",
    "EPS.1",
    like="tensorflow/tensorflow#90792: results of Adam's update differ from torch's and the paper's",
)
class TwentyFirstBFoldedRate(Plain):
    """Corrections are folded into the rate, and epsilon is added to the uncorrected root as it is."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))
