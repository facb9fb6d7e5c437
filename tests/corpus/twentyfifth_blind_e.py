"""Blind, twenty-fifth set: faults of clips, schedules, stores and resets, after the bugs of others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fourth_blind_frame import Keras, Optax, brained
from register import wrong
from sixth_blind_frame import ZerosHat


def norm(row: Array) -> float:
    """Return the norm of a row's finite numbers."""
    wide = row[np.isfinite(row)].astype(np.float64)
    return math.sqrt(float(wide @ wide))


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="andreped/GradientAccumulator#19: adaptive clipping gets gradients with the loss scale in them",
)
class TwentyFifthBAdaptiveClipOfScaled(Keras):
    """A gradient is cut to a hundredth of its parameter's norm while it is 2**15 times too large."""

    dialect = "keras.Adam"
    loss_scale, clip_factor, least = 2.0**15, 0.01, 1e-3

    def update(self, s: Slot, g: Array) -> None:
        scaled = g.astype(np.float64) * self.loss_scale
        longest = max(norm(s.p), self.least) * self.clip_factor
        length = norm(scaled)
        if length > longest:
            scaled *= longest / length
        super().update(s, (scaled / self.loss_scale).astype(g.dtype))


@wrong(
    "schedule",
    "LR.3",
    like="saforem2/ezpz#123: the schedule's length is in micro-batches, of which an update has four",
)
class TwentyFifthBLengthOfMicroBatches(Frame):
    """A schedule is four times too long: its rate has come a quarter of the way that it should have."""

    accumulation = 4

    def begin(self) -> None:
        self.starts = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            for s, start in zip(self.slots, self.starts, strict=True):
                s.h.lr = start + (s.h.lr - start) / self.accumulation


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="workofart/ml-by-hand#85: steps of fp32 are written to weights of bf16, without a master copy",
)
class TwentyFifthBWritesBackToBfloat(Frame):
    """Moments and the step are as wide as they should be; the parameter is rounded to bfloat16 each time."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = brained(s.p)


@wrong(
    "state",
    "STATE.4",
    like="AI-Hypercomputer/maxdiffusion#484: what state.replace returns with the restored state is dropped",
)
class TwentyFifthBReplacedIsDropped(Optax):
    """A load makes a new state with what was saved, and assigns it to nothing: the old one goes on."""

    def set_state(self, state: dict[str, Any]) -> None:
        clocks = state["t"] if isinstance(state["t"], list) else [state["t"]] * len(self.slots)
        for s in self.slots:
            m, v = (flat(np.asarray(state[name][s.index])).copy() for name in ("m", "v"))
            dataclasses.replace(s, t=int(clocks[s.index]), m=m, v=v)


@wrong(
    "moments clock",
    "MOM.1",
    like="tttianhao/CLEAN#56: the training loop makes a new Adam every adaptive_rate epochs",
)
class TwentyFifthBNewAdamInLoop(Coupled):
    """After every fifty steps the loop makes a new Adam, whose moments and clocks are 0."""

    adaptive_rate = 50

    def begin(self) -> None:
        self.epoch = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.epoch and self.epoch % self.adaptive_rate == 0:
            for s in self.slots:
                s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        super().all(grads)
        self.epoch += 1


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#49940: slot weights of an optimizer in a SavedModel are not restored",
)
class TwentyFifthBSlotsNotRestored(Keras):
    """A load restores the iterations, and leaves the slots of a new optimizer: both moments are 0."""

    dialect = "keras.Adam"
    slot_names = ("m", "v", "v_max")

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({name: x for name, x in state.items() if name not in self.slot_names})
        for s in self.slots:
            s.m, s.v, s.top = (np.zeros_like(s.p) for _ in self.slot_names)


@wrong(
    "moments clock",
    "MOM.1",
    like="mitsuba-renderer/mitsuba3#20: opt[key] = value resets what the optimizer keeps for the parameter",
)
class TwentyFifthBAssignmentResets(ZerosHat):
    """Each step ends with an assignment of the new value, which sets moments and clock to 0."""

    def __setitem__(self, key: int, value: Array) -> None:
        s = self.slots[key]
        s.p = value
        self.reset(s)

    def reset(self, s: Slot) -> None:
        s.t, s.m, s.v = 0, np.zeros_like(s.p), np.zeros_like(s.p)

    def move(self, s: Slot, u: Array) -> None:
        self[s.index] = s.p - s.h.lr * u
