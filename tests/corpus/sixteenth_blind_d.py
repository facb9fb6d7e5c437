"""Blind, sixteenth set: faults of states, clocks and precision, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot
from fourteenth_blind_frame_b import FormerKeras
from fourth_blind_frame import Common, Keras, Uncorrected
from register import wrong
from sixth_blind_frame import Unscaled
from twelfth_blind_frame import RunningCoupled
from twelfth_blind_frame_b import begun


def half(a: Array) -> Array:
    """Return an array as it is after having been stored in float16."""
    return np.asarray(a.astype(np.float16).astype(a.dtype))


@wrong(
    "zero_gradient",
    "F2",
    like="PaddlePaddle/Paddle#13033: rows that the sparse gradient lacks are left out, lazy mode or not",
)
class SixteenthBRowsOfSparseGradient(RunningCoupled):
    """Of a table, rows whose gradient is 0 throughout keep parameter and moments."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) < 2 or not s.p.size:
            super().update(s, g)
            return
        stored = g.reshape(s.shape[0], -1).any(axis=1)
        row = np.repeat(stored, g.size // s.shape[0])
        p, m, v = s.p, s.m, s.v
        super().update(s, g)
        s.p, s.m, s.v = np.where(row, s.p, p), np.where(row, s.m, m), np.where(row, s.v, v)


@wrong(
    "schedule",
    "LR.1",
    like="google-research/bert#1293: the first global step is 0, which is divided by the steps of the warmup",
)
class SixteenthBWarmupFromStepZero(Uncorrected):
    """The first step has a rate of 0: it changes the moments, and no parameter."""

    def begin(self) -> None:
        self.global_step = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.global_step += 1

    def move(self, s: Slot, u: Array) -> None:
        if self.global_step > 0:
            super().move(s, u)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "global_step": self.global_step}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        most = max((s.t for s in self.slots), default=0)
        self.global_step = int(state.get("global_step", most))


@wrong(
    "moments mixed_precision",
    "MOM.4",
    like="NVIDIA/apex#1623: moments are made by zeros_like of a parameter in half precision",
)
class SixteenthBMomentsLikeParameter(Common):
    """A step is formed in full precision, and both moments are stored as float16."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.m, s.v = half(s.m), half(s.v)


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/addons#1911: a checkpoint has nothing of the optimizer that Lookahead is around",
)
class SixteenthBInnerNotRestored(Unscaled):
    """What is saved is the wrapper's: the optimizer in it resumes with new slots, and counts from 0."""

    def get_state(self) -> dict[str, Any]:
        return {"wrapper": {"iterations": max((s.t for s in self.slots), default=0)}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "wrapper" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            begun(s)


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#44670: after a SavedModel was loaded the optimizer's weights differ",
)
class SixteenthBSavedModelWithoutSlots(FormerKeras):
    """A load makes the variables of the optimizer, iterations and slots, and fills none of them."""

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            begun(s)
            s.top = np.zeros_like(s.top)


@wrong(
    "state",
    "STATE.4",
    like="keras-team/keras#12449: iterations is not among the weights that are saved, moments are",
)
class SixteenthBIterationsNotSaved(Keras):
    """A saved state has the moments and no count of steps: a resumed run is corrected from 1 on again."""

    dialect = "keras.Adam"

    def get_state(self) -> dict[str, Any]:
        return {name: kept for name, kept in super().get_state().items() if name != "t"}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"t": 0, **state})


@wrong(
    "mixed_precision",
    "NUM.1",
    like="PaddlePaddle/Paddle#38991: the float32 parameters switch multi_precision off for those of float16",
)
class SixteenthBMastersSwitchedOff(RunningCoupled):
    """Behind the first parameter, which needs none, nothing has master weights: it is stored as float16."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.multi_precision = True
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if s.index == 0:
            self.multi_precision = False
        elif not self.multi_precision:
            s.p = half(s.p)
