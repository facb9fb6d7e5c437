"""Blind, fourteenth set: faults of states that are saved and loaded, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CorrectedRate, Refusing
from fourteenth_blind_frame_b import Squared, rows
from fourth_blind_frame import Common, stored
from register import wrong
from sixth_blind_frame import CoupledHat
from twelfth_blind_frame_b import begun

MOMENTS = ("m", "v", "v_max")


@wrong(
    "state",
    "STATE.4",
    like="pytorch/torchtitan#4422: the state dict is cached once, and the stale snapshot is served for ever",
)
class FourteenthSnapshotServed(Common):
    """What was saved first, or loaded last, is handed out again by every save that comes after it."""

    dialect = "optimi.AdamW"

    def begin(self) -> None:
        self.cached: dict[str, Any] | None = None

    def get_state(self) -> dict[str, Any]:
        if self.cached is None:
            self.cached = super().get_state()
        return stored(self.cached, MOMENTS, np.copy)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.cached = super().get_state()


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#147288: a load replaces the tensors, and copies nothing into those that are there",
)
class FourteenthOldTensorsStepped(Common):
    """The launch has the arrays that there were in the first step; those that are loaded later go unused."""

    dialect = "apex.FusedAdam"

    def begin(self) -> None:
        self.launch: list[tuple[Array, Array]] = []

    def learn(self, s: Slot, g: Array) -> None:
        if not self.launch:
            self.launch = [(x.m, x.v) for x in self.slots]
        m, v = self.launch[s.index]
        m *= s.h.b1
        m += (1 - s.h.b1) * g
        v *= s.h.b2
        v += ((1 - s.h.b2) * g) * g

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        m, v = self.launch[s.index]
        return np.asarray((m / (np.sqrt(v) / math.sqrt(c2) + s.h.eps)) / c1)


@wrong(
    "state",
    "STATE.4",
    like="pyro-ppl/pyro#2910: with a scheduler around it, its state is saved, and not that of the optimizer",
)
class FourteenthSchedulerSaved(CoupledHat):
    """Once the learning rate was changed a saved state is that of the schedule: rates, and no moments."""

    dialect = "pyro.ClippedAdam"

    def begin(self) -> None:
        self.epoch = 0

    def set_lr(self, lr: float) -> None:
        super().set_lr(lr)
        self.epoch += 1

    def get_state(self) -> dict[str, Any]:
        if not self.epoch:
            return super().get_state()
        return {"scheduler": {"last_epoch": self.epoch, "_last_lr": [s.h.lr for s in self.slots]}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "scheduler" not in state:
            super().set_state(state)
            return
        for s, lr in zip(self.slots, state["scheduler"]["_last_lr"], strict=True):
            s.h.lr = float(lr)


@wrong(
    "state",
    "STATE.4",
    like="tinygrad/tinygrad#4584: b1_t, which tracks b1 ** t, is exported under the name of adam_b1",
)
class FourteenthPowersAsBetas(Refusing):
    """The powers of the betas are saved in the place of the betas, which a load reads there."""

    dialect = "tinygrad.AdamW"

    def get_state(self) -> dict[str, Any]:
        powers = [(s.h.b1**s.t, s.h.b2**s.t) for s in self.slots]
        names = {"adam_b1": [b1 for b1, _ in powers], "adam_b2": [b2 for _, b2 in powers]}
        return {**super().get_state(), **names}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots if "adam_b1" in state else ():
            s.h.b1, s.h.b2 = float(state["adam_b1"][s.index]), float(state["adam_b2"][s.index])


@wrong(
    "state decay",
    "STATE.4",
    like="huggingface/nanotron#256: initial_lr is bound to the lr that the loaded state implies",
)
class FourteenthGreatestRateRebound(Squared):
    """Behind a load the greatest learning rate is the one of that moment."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.h.lr_max = s.h.lr


@wrong(
    "state missing",
    "STATE.4",
    like="pytorch/pytorch#192307: saved state of parameters that were trained and later frozen is dropped",
)
class FourteenthFrozenNotSaved(Frame):
    """What had no gradient in the last step is not in a saved state, and begins anew behind a load."""

    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        self.trainable = [True for _ in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        self.trainable = [g is not None for g in grads]
        super().all(grads)

    def get_state(self) -> dict[str, Any]:
        state, names = super().get_state(), ("t", "m", "v")
        kept = [s.index for s in self.slots if self.trainable[s.index]]
        return {"state": {i: rows(state, names, i) for i in kept}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "state" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            begun(s)
        own, saved = super().get_state(), state["state"]
        whole = [saved.get(s.index) or rows(own, ("t", "m", "v"), s.index) for s in self.slots]
        super().set_state({name: [row[name] for row in whole] for name in ("t", "m", "v")})


@wrong(
    "state clock",
    "STATE.4",
    like="apache/mxnet#627: num_update is the larger one of a count and what num_update was before",
)
class FourteenthCountNeverFalls(CorrectedRate):
    """A load can only raise a count: who goes back to an earlier state keeps the clock of the later one."""

    def set_state(self, state: dict[str, Any]) -> None:
        before = [s.t for s in self.slots]
        super().set_state(state)
        for s, t in zip(self.slots, before, strict=True):
            s.t = max(s.t, t)
