"""Blind, thirty-fifth set: faults of rows, decays, precision, norms and resumes in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import Modulus
from fourth_blind_frame import Hat, Keras
from register import right, wrong
from sixth_blind_frame import Running
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame import RunningCoupled


@wrong(
    "sparse zero_gradient",
    "SPARSE.2",
    like="PaddlePaddle/Paddle#27343: Adam wrongly judges whether a parameter is sparse",
    claim="paddle.Adam",
)
class ThirtyFifthJudgedSparse(RunningCoupled):
    """A matrix is judged sparse for its shape: rows whose gradient is 0 are left as they are."""

    def is_sparse(self, s: Slot) -> bool:
        return len(s.shape) > 1 and s.p.size > 0

    def update(self, s: Slot, g: Array) -> None:
        old = s.p, s.m, s.v
        super().update(s, g)
        if not self.is_sparse(s):
            return
        selected = np.any(g.reshape(s.shape[0], -1) != 0, axis=1)
        selected = np.repeat(selected, s.p.size // s.shape[0])
        s.p, s.m, s.v = (np.where(selected, new, a) for new, a in zip((s.p, s.m, s.v), old, strict=True))


@wrong(
    "decay",
    "DEC.2",
    like="FluxML/Flux.jl#1612: ADAMW is a full-rate Adam with WeightDecay behind it, which has no rate",
    claim="optimisers_jl.AdamW",
)
class ThirtyFifthDecayChainedBehind(Modulus):
    """The decay is chained behind an Adam that has the rate already: it is not multiplied by it."""

    def move(self, s: Slot, u: Array) -> None:
        change = s.h.lr * u
        change = change + s.h.weight_decay * s.p
        s.p = s.p - change


@wrong(
    "state schedule",
    "STATE.4",
    like="metatensor/metatrain#375: a restart behind the warmup computes its length anew and warms up again",
    claim="torch.Adam",
)
class ThirtyFifthWarmsUpAgain(Coupled):
    """Behind a load the warmup of ten updates is applied again, from a tenth of the rate on."""

    warmup = 10
    epoch = 0

    def begin(self) -> None:
        self.start: int | None = None

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.start = self.epoch = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.epoch += 1
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        warm = 1.0 if self.start is None else min(1.0, (self.epoch - self.start) / self.warmup)
        s.p = s.p - s.h.lr * warm * u


@wrong(
    "mixed_precision storage",
    "NUM.1",
    like="keras-team/keras#11860: with floatx float16 Adam gives NaN, and not in float32",
    claim="keras.Adam",
)
class ThirtyFifthFloatxIsHalf(Keras):
    """Moments, their root and epsilon are numbers of float16, whatever the parameter is."""

    dialect = "keras.Adam"
    floatx = np.float16

    def cast(self, x: Array) -> Array:
        return x.astype(self.floatx)

    def learn(self, s: Slot, g: Array) -> None:
        g_t, m, v = self.cast(g), self.cast(s.m), self.cast(s.v)
        m_t = s.h.b1 * m + (1 - s.h.b1) * g_t
        v_t = s.h.b2 * v + (1 - s.h.b2) * np.square(g_t)
        s.m, s.v = m_t.astype(s.p.dtype), v_t.astype(s.p.dtype)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(self.cast(s.v)) + self.floatx(s.h.eps)
        return (math.sqrt(c2) / c1) * (self.cast(s.m) / below).astype(s.p.dtype)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="deepspeedai/DeepSpeed#8469: AutoEP's clipping averages the norms of ranks with different experts",
    claim="deepspeed.CPUAdam",
)
class ThirtyFifthMeanOfRanksNorms(Running):
    """Arrays are experts dealt to two ranks: gradients are clipped to 1 by the mean of the ranks' norms."""

    ranks, clip_grad = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        norms = [math.sqrt(lengths(grads[rank :: self.ranks])) for rank in range(self.ranks)]
        total = sum(norms) / self.ranks  # an all-reduce, and a division by the world's size
        share = min(1.0, self.clip_grad / (total + 1e-6))
        super().all([None if g is None else (g * share).astype(g.dtype) for g in grads])


@wrong(
    "state",
    "STATE.1",
    like="google-deepmind/sonnet#108: the saver is made before minimize, and does not list Adam's averages",
    claim="tf1.Adam",
)
class ThirtyFifthSaverMadeBefore(Slotted):
    """A save has the variables and the global step; averages are made later, and a load begins them at 0."""

    def get_state(self) -> dict[str, Any]:
        variables = [self.shaped(s, s.p) for s in self.slots]
        return {"global_step": [s.t for s in self.slots], "variables": variables}

    def set_state(self, state: dict[str, Any]) -> None:
        if "global_step" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["global_step"][s.index])
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong(
    "schedule missing",
    "F1",
    like="Lightning-AI/pytorch-lightning#4868: schedules of optimizers that are not run go on too",
    claim="torch.AdamW",
)
class ThirtyFifthScheduleOfOthersGoesOn(Frame):
    """Each step that leaves an array out lowers its rate by a tenth: its schedule goes on without it."""

    gamma = 0.9

    def missed(self, s: Slot) -> None:
        s.extra["scheduled"] = s.extra.get("scheduled", 1.0) * self.gamma

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr * s.extra.get("scheduled", 1.0)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@right(claim="fairseq.Adam")
class ThirtyFifthRightStepSize(Hat):
    """fairseq's Adam: all in buffers that are made once, with the corrections in the size of the step."""

    def begin(self) -> None:
        self.buffers = [(np.empty_like(s.p), np.empty_like(s.p)) for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        a, b = self.buffers[s.index]
        np.multiply(s.m, s.h.b1, out=s.m)
        np.multiply(g, 1 - s.h.b1, out=a)
        np.add(s.m, a, out=s.m)
        np.multiply(g, 1 - s.h.b2, out=b)
        np.multiply(b, g, out=b)
        np.multiply(s.v, s.h.b2, out=s.v)
        np.add(s.v, b, out=s.v)
        np.sqrt(s.v, out=a)
        np.add(a, s.h.eps, out=a)
        np.divide(s.m, a, out=a)
        np.multiply(a, s.h.lr * math.sqrt(c2) / c1, out=a)
        if s.h.weight_decay:
            np.multiply(s.p, -s.h.weight_decay * s.h.lr, out=b)
            np.add(s.p, b, out=s.p)
        np.subtract(s.p, a, out=s.p)


@right(claim="keras.Adam")
class ThirtyFifthRightVariables(Keras):
    """Keras' Adam with iterations as one number, and velocities and momentums saved by path."""

    dialect = "keras.Adam"

    def get_state(self) -> dict[str, Any]:
        paths = {f"vars/{s.index}": (self.shaped(s, s.m), self.shaped(s, s.v)) for s in self.slots}
        return {"iterations": max((s.t for s in self.slots), default=0), "paths": paths}

    def set_state(self, state: dict[str, Any]) -> None:
        if "iterations" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            s.t = int(state["iterations"])
            s.m, s.v = (flat(np.asarray(a)).copy() for a in state["paths"][f"vars/{s.index}"])

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        alpha = s.h.lr * math.sqrt(c2) / c1
        if s.h.weight_decay:
            s.p = s.p - s.p * (s.h.weight_decay * s.h.lr)
        s.m = s.m + (g - s.m) * (1 - s.h.b1)
        s.v = s.v + ((g * (1 - s.h.b2)) * g - s.v * (1 - s.h.b2))
        s.p = s.p - (s.m / (np.sqrt(s.v) + s.h.eps)) * alpha
