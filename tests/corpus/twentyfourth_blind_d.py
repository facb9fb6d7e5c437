"""Blind, twenty-fourth set: faults of rates, loads, rows, sums and copies, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Keras, Uncorrected, brained
from register import wrong
from sixth_blind_frame import Running


@wrong(
    "schedule",
    "LR.3",
    like="huggingface/transformers#218: warmup by hand, and in BertAdam again, of a total that is too large",
)
class TwentyFourthBWarmupTwice(Uncorrected):
    """The rate that is given, warmed up already, is multiplied by a warmup of the step's own once more."""

    warmup, t_total = 0.1, 2000  # passes, where the optimizer makes one update for four of them

    def warmup_linear(self, x: float) -> float:
        return x / self.warmup if x < self.warmup else 1.0 - x

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr * self.warmup_linear((s.t - 1) / self.t_total)
        s.p = s.p - rate * (s.h.weight_decay * s.p + u)


@wrong(
    "state",
    "STATE.4",
    like="keras-team/keras#16983: behind load_model the optimizer is not built, and its state is not loaded",
)
class TwentyFourthBLoadOfUnbuilt(Keras):
    """A state is taken by an optimizer that has stepped; a new one has no variables, and takes none of it."""

    built = False

    def begin(self) -> None:
        self.built = False

    def set_state(self, state: dict[str, Any]) -> None:
        if self.built:
            super().set_state(state)

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.built = True


@wrong(
    "zero_gradient sparse",
    "F2",
    like="clab/dynet#1009: with sparse updates the rows of a lookup parameter without gradient are skipped",
)
class TwentyFourthBLookupRowsSkipped(Plain):
    """From two axes on, rows whose gradient is 0 are passed over: momentum and moments stay in them."""

    sparse_updates_enabled = True

    def update(self, s: Slot, g: Array) -> None:
        before = s.p, s.m, s.v
        super().update(s, g)
        if self.sparse_updates_enabled and len(s.shape) > 1 and g.size:
            looked_up = (g.reshape(s.shape[0], -1) != 0).any(axis=1)
            mask = np.repeat(looked_up, g.size // s.shape[0])
            s.p, s.m, s.v = (
                np.where(mask, new, old) for new, old in zip((s.p, s.m, s.v), before, strict=True)
            )


@wrong(
    "schedule",
    "LR.3",
    like="ivadomed/ivadomed#55: the scheduler is stepped in the loop over batches, and not once an epoch",
)
class TwentyFourthBSchedulerInBatches(Frame):
    """A rate that should have fallen to a part of the first one has fallen to the fourth power of that."""

    batches = 4  # in an epoch

    def begin(self) -> None:
        self.base_lrs = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            for s, base in zip(self.slots, self.base_lrs, strict=True):
                if 0 < s.h.lr < base:
                    s.h.lr = base * (s.h.lr / base) ** self.batches


@wrong(
    "moments",
    "MOM.1",
    like="deepspeedai/DeepSpeed#1488: with micro-steps accumulated gradients of stage 1 are other ones",
)
class TwentyFourthBBufferNotEmptied(Running):
    """The last of four micro-steps stays in the buffer, and is in the sum of the next update again."""

    micro_steps = 4

    def update(self, s: Slot, g: Array) -> None:
        left = s.extra.get("averaged_gradient", np.zeros_like(g))
        s.extra["averaged_gradient"] = g / self.micro_steps
        super().update(s, g + left)


@wrong(
    "layout",
    "STEP.1",
    like="deepspeedai/DeepSpeed#3097: the step does not wait for copies of the CPU kernel to the device",
)
class TwentyFourthBCopiesStillUnderWay(Running):
    """Of the 32 last numbers, all arrays end to end, the copies arrive when the next step begins."""

    tile = 32

    def begin(self) -> None:
        super().begin()
        self.device = [s.p.copy() for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        for x, s in zip(self.device, self.slots, strict=True):
            x[:] = s.p  # what was under way has come
        super().step(grads)
        late = self.tile
        for x, s in zip(self.device[::-1], self.slots[::-1], strict=True):
            there = max(s.p.size - late, 0)
            x[:there] = s.p[:there]
            late -= s.p.size - there
        return [self.shaped(s, x) for x, s in zip(self.device, self.slots, strict=True)]


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="NVIDIA/apex#1728: for bfloat16 master_weights=True allocates no masters",
)
class TwentyFourthBNoMasters(Common):
    """Parameters are bfloat16, with moments of 32 bits: each update is rounded to the nearest of them."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = brained(s.p)
