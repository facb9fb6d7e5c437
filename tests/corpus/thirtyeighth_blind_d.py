"""Blind, thirty-eighth set, second half: faults of starts, schedules and gradients, after others' bugs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from eighth_blind_frame import CommonUncorrected
from fourth_blind_frame import Common
from register import wrong
from seventh_blind_frame import Holding
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame_b import Stored, begun


@wrong(
    "missing",
    "F1",
    like="Blaizzy/mlx-vlm#1194: an index buffer counts as trainable, and a zero gradient moves it",
)
class ThirtyEighthBBufferIsTrainable(CommonUncorrected):
    """What has no gradient, as a buffer, counts as trainable all the same: a zero gradient steps it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        pairs = zip(self.slots, grads, strict=True)
        super().all([self.shaped(s, np.zeros_like(s.p)) if g is None else g for s, g in pairs])


@wrong(
    "hyperparameters moments",
    "LR.3",
    like="deepmedic/deepmedic#175: y_min of the momentum's schedule is the learning rate, and y_max is added",
)
class ThirtyEighthBMomentumFromRate(Slotted):
    """The first beta rises from itself by its distance from the learning rate, in 1000 steps."""

    last = 1000

    def begin(self) -> None:
        self.y_min = [s.h.lr for s in self.slots]

    def momentum(self, s: Slot) -> float:
        y_min, y_max = self.y_min[s.index], s.h.b1
        return y_max + (y_max - y_min) * min(1.0, (s.t - 1) / self.last)

    def update(self, s: Slot, g: Array) -> None:
        given = s.h
        s.h = replace(given, b1=self.momentum(s))
        super().update(s, g)
        s.h = given


@wrong(
    "state",
    "STATE.4",
    like="lm-sys/FastChat#1280: a resume of LoRA has no schedule, no optimizer state and no random state",
)
class ThirtyEighthBAdapterAlone(Frame):
    """A save has the adapter alone: behind a load moments, clock and learning rate are those of the start."""

    dialect = "torch.AdamW"

    def begin(self) -> None:
        self.first = [s.h.lr for s in self.slots]

    def get_state(self) -> dict[str, Any]:
        return {"adapter_model": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "adapter_model" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            begun(s)
            s.p = self.taken(np.asarray(state["adapter_model"][s.index])).copy()
            s.h.lr = self.first[s.index]


@wrong(
    "moments loss_scale",
    "MOM.1",
    like="verl-project/verl#93: with FSDP's CPU offload the gradients of micro-batches do not accumulate",
)
class ThirtyEighthBOffloadedLast(Frame):
    """The offloaded gradient of each micro-batch replaces the last one: a quarter of the batch's is left."""

    dialect = "torch.AdamW"
    micro_batches = 4

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        host = np.zeros_like(row)
        for _ in range(self.micro_batches):
            host[...] = row / self.micro_batches
        return host


@wrong(
    "sharding moments",
    "MOM.1",
    like="NVIDIA/Megatron-LM#474: LayerNorm weights differ between sequence-parallel ranks",
)
class ThirtyEighthBNormsNotReduced(Common):
    """Arrays of one dimension have the gradient of one rank's half of the sequence: it is not reduced."""

    dialect = "apex.FusedAdam"
    ranks = 2

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return row / self.ranks if g.ndim == 1 else row


@wrong(
    "state clock",
    "STATE.4",
    like="radixark/miles#2661: an adapter's checkpoint counts as fresh, the schedule is stepped once more",
)
class ThirtyEighthBRolloutZero(Common):
    """Behind a load the count is 0 again, and is stepped once: moments go on, and the next update has t=2."""

    dialect = "transformer_engine.FusedAdam"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.t = 0
            self.tick(s)


@wrong(
    "layout moments",
    "MOM.1",
    like="mlpack/mlpack#1933: the generator's gradient is computed of responses that are zero",
)
class ThirtyEighthBGeneratorOfZeros(Stored):
    """The first half of the arrays is the generator, whose error is an array of zeros: so is its gradient."""

    dialect = "paper.eps-hat"

    def update(self, s: Slot, g: Array) -> None:
        is_generator = s.index < len(self.slots) // 2
        super().update(s, np.zeros_like(g) if is_generator else g)


@wrong(
    "state schedule",
    "STATE.4",
    like="EleutherAI/gpt-neox#1046: behind a restart the annealing stands in the wrong place",
)
class ThirtyEighthBAnnealingBehind(Holding):
    """Behind a load the annealing stands one step back: each learning rate that is set comes a step late."""

    dialect = "deepspeed.FusedAdam"

    def begin(self) -> None:
        self.resumed = False
        self.waiting: dict[str, float] = {}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.resumed = True

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if self.resumed and "lr" in hyper:
            self.waiting = {"lr": hyper["lr"]}
            hyper = {name: value for name, value in hyper.items() if name != "lr"}
        super().set_hyper(hyper)

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        super().set_hyper(self.waiting)
        self.waiting = {}


@wrong(
    "layout",
    "STEP.1",
    like="ray-project/ray#9087: SAC's entropy temperature stays what it was at the start",
)
class ThirtyEighthBTemperatureStays(Slotted):
    """An array of one number, as the temperature is, stays at its start: its step goes to a copy."""

    def move(self, s: Slot, u: Array) -> None:
        before = s.p
        super().move(s, u)
        if math.prod(s.shape) == 1:
            s.p = before
