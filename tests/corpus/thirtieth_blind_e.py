"""Blind, thirtieth set: faults of means, corrections, resets and epochs, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Modulus
from fourth_blind_frame import FOUR, Common, Hat, Uncorrected
from register import wrong
from twelfth_blind_frame_b import begun


@wrong(
    "moments layout",
    "MOM.1",
    like="unslothai/unsloth-zoo#6: means of micro-batches are averaged, whatever each one's number of items",
)
class ThirtiethBMeanOfMeans(Frame):
    """Each fourth element is of one of four micro-batches, and all of these weigh the same, short or long."""

    dialect = "torch.AdamW"
    items = (2, 4, 6, 20)  # of the batches that a step is made of

    def taken(self, g: Array) -> Array:
        row = super().taken(g).copy()
        total, batches = sum(self.items), len(self.items)
        for k, own in enumerate(self.items):
            row[k::batches] *= total / (own * batches)
        return row


@wrong(
    "bias_correction",
    "BC.2",
    like="mlpack/mlpack#1162: a typing slip in Adam's update",
)
class ThirtiethBTypingSlip(Hat):
    """The second correction is formed with the first beta, by a slip of the pen."""

    dialect = "paper.eps-hat"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        correction1 = 1.0 - s.h.b1**s.t
        correction2 = 1.0 - s.h.b1**s.t
        return (math.sqrt(correction2) / correction1) * (s.m / (np.sqrt(s.v) + s.h.eps))

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "zero_gradient moments",
    "F2",
    like="timoklein/redo#1: the reset of dormant neurons, and of what is kept of them, is not right",
)
class ThirtiethBDormantRows(Frame):
    """In each fourth update the first moments of rows whose gradient is 0 are reset, and nothing else."""

    dialect = "torch.AdamW"
    frequency = 4

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        if s.t % self.frequency == 0 and len(s.shape) > 1 and g.size:
            dormant = ~g.reshape(s.shape[0], -1).any(axis=1)
            s.m.reshape(s.shape[0], -1)[dormant] = 0


@wrong(
    "state storage",
    "STATE.4",
    like="FluxML/Optimisers.jl#179: a state that was moved has its moments in Float64 where they were",
)
class ThirtiethBLeafInDouble(Modulus):
    """Moments that are restored are float64, whatever the parameter is, and stay it."""

    dialect = "optimisers_jl.AdamW"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = s.m.astype(np.float64), s.v.astype(np.float64)

    def shaped(self, s: Slot, row: Array) -> Array:
        if row.dtype == s.p.dtype:
            return super().shaped(s, row)
        wide = np.complex128 if s.dtype.kind == "c" else np.float64
        return row.view(wide).reshape(s.shape).copy()

    def move(self, s: Slot, u: Array) -> None:
        dtype = s.p.dtype
        super().move(s, u)
        s.p = s.p.astype(dtype)


@wrong(
    "groups decay",
    "LR.4",
    like="aiqm/torchani#280: the first layer's weights have a decay that only those behind it should have",
)
class ThirtiethBFirstLayerDecays(Frame):
    """The first array decays by the number of the array behind it, and not by its own group's."""

    dialect = "torch.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        own = self.slots[1].h if s.index == 0 and len(self.slots) > 1 else s.h
        s.p = s.p - s.h.lr * own.weight_decay * s.p - s.h.lr * u


@wrong(
    "moments clock",
    "MOM.1",
    like="euancrabtree/Lipreading-PyTorch#7: each epoch has an optimizer of its own, without the buffers",
)
class ThirtiethBOptimizerOfAnEpoch(Coupled):
    """A new optimizer is made for each epoch of eight steps: moments and clocks are 0 again."""

    dialect = "torch.Adam"
    epoch = 8

    def begin(self) -> None:
        self.batch = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.batch == self.epoch:
            self.batch = 0
            for s in self.slots:
                begun(s)
        self.batch += 1
        super().all(grads)


@wrong(
    "moments clock",
    "MOM.1",
    like="ml-explore/mlx-lm#1413: of the windows of accumulation the last one, which is partial, is dropped",
)
class ThirtiethBLastWindowDropped(Uncorrected, Common):
    """Each fifth window is an epoch's last: it is partial, and its gradients are dropped without a step."""

    dialect = "mlx.AdamW"
    windows = 5

    def begin(self) -> None:
        self.seen = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.seen += 1
        if self.seen % self.windows:
            super().all(grads)
