"""Blind, thirty-fourth set, second half: faults of stores, powers, norms and averages, after reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fourth_blind_frame import Common, Keras, Nadam
from register import wrong
from sixth_blind_frame import Running
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame import RunningCoupled


@wrong(
    "state",
    "STATE.4",
    like="apache/mxnet#1695: the accumulators of the store are not written with the model",
)
class ThirtyFourthBStoreNotWritten(CoupledHat):
    """A save has the counts of updates alone: behind a load mean and var are 0, and have to grow again."""

    dialect = "mxnet.Adam"

    def get_state(self) -> dict[str, Any]:
        return {"_index_update_count": {s.index: s.t for s in self.slots}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "_index_update_count" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["_index_update_count"][s.index])
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong(
    "clock bias_correction",
    "CLK.1",
    like="deepspeedai/DeepSpeed#503: CPU Adam does not converge, as the powers move with each call of Step",
)
class ThirtyFourthBPowersOfAllCalls(Running):
    """The object has one power of each beta, and each array that is stepped multiplies it once more."""

    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        super().begin()
        self.betta_t = self.reached(0)

    def reached(self, t: int) -> tuple[float, float]:
        h = self.slots[0].h if self.slots else None
        return (h.b1**t, h.b2**t) if h else (1.0, 1.0)

    def tick(self, s: Slot) -> None:
        super().tick(s)
        self.betta_t = self.betta_t[0] * s.h.b1, self.betta_t[1] * s.h.b2

    def left(self, s: Slot) -> tuple[float, float]:
        return 1 - self.betta_t[0], 1 - self.betta_t[1]

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "betta_t": list(self.betta_t)}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        t = max((s.t for s in self.slots), default=0)
        first, second = state.get("betta_t", self.reached(t))
        self.betta_t = float(first), float(second)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#5916: distinct gradients of experts are taken for duplicates in the norm",
)
class ThirtyFourthBExpertsAreDuplicates(Common):
    """An array of the shape of an earlier one is a duplicate, and not in the norm that cuts all to 1."""

    dialect = "transformer_engine.FusedAdam"
    clip_grad = 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        counted: dict[tuple[int, ...], Array] = {}
        for g in grads:
            if g is not None:
                counted.setdefault(g.shape, super().taken(g).astype(np.float64))
        squares = [float(np.sum(np.where(np.isfinite(row), row, 0) ** 2)) for row in counted.values()]
        norm = math.sqrt(sum(squares))
        self.clip_coeff = min(1.0, self.clip_grad / (norm + 1e-6))
        super().all(grads)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return row if self.clip_coeff == 1 else row * row.dtype.type(self.clip_coeff)


@wrong(
    "decay nonfinite",
    "DEC.2",
    like="OverLordGoldDragon/keras-adamw#2: NadamW has no guard for total_iterations == 0",
)
class ThirtyFourthBDecayOverNoIterations(Nadam):
    """The decay is multiplied by the root of 1 over the iterations in total, which are 0: it is infinite."""

    dialect = "keras.Nadam"
    batch_size, total_iterations = 1, 0

    def move(self, s: Slot, u: Array) -> None:
        p = s.p - s.h.lr * u
        if s.h.weight_decay:
            norm = np.sqrt(np.float64(self.batch_size) / self.total_iterations)
            p = p - (s.h.lr * s.h.weight_decay * norm) * s.p
        s.p = p.astype(s.p.dtype)


@wrong(
    "sharding layout moments",
    "MOM.1",
    like="horovod/horovod#260: with Keras' Adam the workers end with weights that differ",
)
class ThirtyFourthBWorkersApart(Keras):
    """Gradients of two workers are not averaged: one has its own samples alone, those of the first half."""

    dialect = "keras.Adam"
    size = 2

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        own = -(-row.size // self.size)
        local = np.zeros_like(row)
        local[:own] = row[:own] * self.size
        return local


@wrong(
    "bias_correction clock",
    "BC.1",
    like="NVIDIA/recsys-examples#21: after a newer torchrec the Adam of dynamic embeddings is another one",
)
class ThirtyFourthBIterIsAhead(Common):
    """The iteration is raised by the caller and again by the table: corrections are those of a step later."""

    dialect = "apex.FusedAdam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t + 1)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "clock bias_correction",
    "CLK.1",
    like="PaddlePaddle/Paddle#4920: the beta1 power is moved inside the op, by each parameter",
)
class ThirtyFourthBPowerMovesInOp(RunningCoupled):
    """Parameters share the power of the first beta, which each one's op moves on behind its update."""

    dialect = "paddle.Adam"

    def begin(self) -> None:
        super().begin()
        self.beta1_pow = {s.h.b1: s.h.b1 for s in self.slots}

    def left(self, s: Slot) -> tuple[float, float]:
        return 1 - self.beta1_pow[s.h.b1], super().left(s)[1]

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        self.beta1_pow[s.h.b1] *= s.h.b1

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "beta1_pow_acc": [self.beta1_pow[s.h.b1] for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        saved = state.get("beta1_pow_acc")
        for s in self.slots:
            reached = s.h.b1 ** (s.t + 1) if saved is None else float(saved[s.index])
            self.beta1_pow[s.h.b1] = reached
