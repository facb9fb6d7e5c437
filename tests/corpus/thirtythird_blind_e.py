"""Blind, thirty-third set, second half: faults of ranks, names and halves, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Hyper, Slot
from fourth_blind_frame import Common, Hat, Keras
from register import right, wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import Running
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame_b import Stored


@wrong(
    "nonfinite",
    "NF.2",
    like="deepspeedai/DeepSpeed#8415: under bf16 a gradient that is not finite ends step() without a word",
)
class ThirtyThirdBReturnsInSilence(Running):
    """Where one number of one gradient is not finite, all are cleared, and no parameter is stepped."""

    dialect = "deepspeed.CPUAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        if all(np.isfinite(self.taken(g)).all() for g in grads if g is not None):
            super().all(grads)


@wrong(
    "state isolation",
    "STATE.4",
    like="lululxvi/deepxde#188: the second model seeks beta1_power_21, a key that the checkpoint lacks",
)
class ThirtyThirdBNumberedPower(Slotted):
    """The beta power is named by how many were made before: a state of another optimizer has no such key."""

    made: ClassVar[int] = 0

    def begin(self) -> None:
        number = ThirtyThirdBNumberedPower.made
        ThirtyThirdBNumberedPower.made += 1
        self.power = f"beta1_power_{number}" if number else "beta1_power"

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {"checkpoint": {**state, self.power: state.pop("t")}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "checkpoint" in state:
            state = dict(state["checkpoint"])
            if self.power not in state:
                raise KeyError(f"key {self.power} not found in checkpoint")
            state["t"] = state[self.power]
        super().set_state(state)


@wrong(
    "groups",
    "LR.4",
    like="deepspeedai/DeepSpeed#7906: SuperOffload's sub-groups have lost which parameter group they are of",
)
class ThirtyThirdBSubGroupsOfFirst(Running):
    """Sub-groups do not know their group: the step on the CPU has the first group's settings for all."""

    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        for s in self.slots:
            s.h = self.slots[0].h
        super().begin()


@wrong(
    "mixed_precision",
    "NUM.1",
    like="keras-team/keras-core#571: mixed_float16 without a loss scale, gradients below its range are lost",
)
class ThirtyThirdBGradientsOfHalf(Keras):
    """The gradient is a float16, and nothing has scaled it: below 6e-8 it is 0."""

    dialect = "keras.Adam"

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return row.astype(np.float16).astype(row.dtype)


@wrong(
    "sharding layout moments",
    "MOM.1",
    like="deepspeedai/DeepSpeed#5154: the fp32 accumulator is filled before the all-reduce of bf16 gradients",
)
class ThirtyThirdBNotReduced(Holding):
    """A rank steps by its own gradient alone: that of each second element, twice its mean over two ranks."""

    dialect = "deepspeed.FusedAdam"
    ranks = 2

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        local = np.zeros_like(row)
        local[:: self.ranks] = row[:: self.ranks] * self.ranks
        return local


@wrong(
    "state clock",
    "STATE.4",
    like="meta-pytorch/torchrec#2474: iter is one number, neither of rows nor of points, and is not tracked",
)
class ThirtyThirdBIterNotTracked(Common):
    """What is saved of a table has its shape, or one number for a row: the iter has none, and begins at 0."""

    dialect = "transformer_engine.FusedAdam"

    def get_state(self) -> dict[str, Any]:
        tables = []
        for s in self.slots:
            entries = {"m": self.shaped(s, s.m), "v": self.shaped(s, s.v), "iter": np.asarray(s.t)}
            wise = (s.shape, s.shape[:1])
            tables.append({name: entry for name, entry in entries.items() if entry.shape in wise})
        return {"tables": tables}

    def set_state(self, state: dict[str, Any]) -> None:
        if "tables" in state:
            tables = state["tables"]
            state = {name: [table[name] for table in tables] for name in ("m", "v")}
            state["t"] = [int(table.get("iter", 0)) for table in tables]
        super().set_state(state)


@right()
class ThirtyThirdBRightUpdaterView(Stored):
    """Adam with epsilon hat whose moments are both views of one row, which is saved with the iteration."""

    dialect = "paper.eps-hat"

    def begin(self) -> None:
        for s in self.slots:
            self.view(s, np.zeros(2 * s.p.size, s.p.dtype))

    def view(self, s: Slot, row: Array) -> None:
        s.m, s.v = row[: s.p.size], row[s.p.size :]

    def get_state(self) -> dict[str, Any]:
        rows = [np.concatenate([s.m, s.v]) for s in self.slots]
        return {"iteration": [s.t for s in self.slots], "view": rows}

    def set_state(self, state: dict[str, Any]) -> None:
        if "view" not in state:
            super().set_state(state)
            for s in self.slots:
                self.view(s, np.concatenate([s.m, s.v]))
            return
        for s, t, row in zip(self.slots, state["iteration"], state["view"], strict=True):
            s.t = int(t)
            self.view(s, np.array(row))

    def learn(self, s: Slot, g: Array) -> None:
        s.m += (g - s.m) * (1 - s.h.b1)
        s.v *= s.h.b2
        s.v += (g * (1 - s.h.b2)) * g


@right()
class ThirtyThirdBRightDeferredFactor(Hat):
    """fairseq's Adam whose gradients have a factor that is deferred: 1 over the scale that they have."""

    dialect = "fairseq.Adam"
    loss_scale = 2.0**7

    def update(self, s: Slot, g: Array) -> None:
        h, scaled, multiply_factor = s.h, g * self.loss_scale, 1 / self.loss_scale
        grad = scaled * multiply_factor
        s.m = s.m * h.b1 + grad * (1 - h.b1)
        s.v = s.v * h.b2 + (grad * (1 - h.b2)) * grad
        step_size = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        p = s.p - (h.weight_decay * h.lr) * s.p
        s.p = p - step_size * (s.m / (np.sqrt(s.v) + h.eps))


@right()
class ThirtyThirdBRightNamedSlots(Slotted):
    """TensorFlow 1's Adam, whose slots are saved under variables' names, numbered from 0 in each one."""

    def get_state(self) -> dict[str, Any]:
        named: dict[str, Any] = {"global_step": max((s.t for s in self.slots), default=0)}
        for s in self.slots:
            named[f"Variable_{s.index}/Adam"] = self.shaped(s, s.m)
            named[f"Variable_{s.index}/Adam_1"] = self.shaped(s, s.v)
        return named

    def set_state(self, state: dict[str, Any]) -> None:
        if "global_step" in state:
            ends = (("m", "Adam"), ("v", "Adam_1"))
            slots = {name: [state[f"Variable_{s.index}/{end}"] for s in self.slots] for name, end in ends}
            state = {"t": state["global_step"], **slots}
        super().set_state(state)

    def direction(self, s: Slot) -> Array:
        alpha = math.sqrt(1 - s.h.b2**s.t) / (1 - s.h.b1**s.t)
        return np.divide(s.m * alpha, np.sqrt(s.v) + s.h.eps)


@right()
class ThirtyThirdBRightGroupOfSubGroup(Running):
    """DeepSpeed's CPU Adam: arrays are sub-groups, and a table says of which group of settings each is."""

    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        self.groups: list[Hyper] = []
        self.group_of: dict[int, int] = {}
        for s in self.slots:
            if s.h not in self.groups:
                self.groups.append(s.h)
            self.group_of[s.index] = self.groups.index(s.h)
        super().begin()

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for h in self.groups:
            h.read(hyper)

    def update(self, s: Slot, g: Array) -> None:
        h = self.groups[self.group_of[s.index]]
        c1, c2 = self.left(s)
        s.m = h.b1 * s.m + (1 - h.b1) * g
        s.v = h.b2 * s.v + g * ((1 - h.b2) * g)
        ratio = s.m / (np.sqrt(s.v) * (1 / math.sqrt(c2)) + h.eps)
        s.p = s.p * (1 - h.lr * h.weight_decay) - (h.lr / c1) * ratio


@right()
class ThirtyThirdBRightAccumulatorOfVariable(Keras):
    """Keras' AdamW whose gradients go through accumulators, each found by the number of its variable."""

    dialect = "keras.AdamW"

    def begin(self) -> None:
        self.accumulated = {s.index: np.zeros_like(s.p) for s in self.slots}

    def update(self, s: Slot, g: Array) -> None:
        accumulator = self.accumulated[s.index]
        accumulator += g
        super().update(s, accumulator)
        accumulator[...] = 0
