"""Blind, twenty-sixth set: faults of steps that are none, warmups and buckets, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Slot, flat
from fourth_blind_frame import Common, Keras
from register import wrong
from seventh_blind_frame import Holding


@wrong(
    "moments",
    "STEP.1",
    like="hasktorch/hasktorch#449: the wrapped optimizers make a step, and no parameter is another one",
)
class TwentySixthBStepsACopy(Coupled):
    """Moments and clock go on; it is a copy of the parameter that is stepped, and nobody reads it."""

    def move(self, s: Slot, u: Array) -> None:
        wrapped = s.p.copy()
        wrapped -= s.h.lr * u


@wrong(
    "moments",
    "STEP.1",
    like="ohdearquant/lattice#798: an arm of the GPU runs plain SGD where Adam was chosen, and counts steps",
)
class TwentySixthBPlainDescent(Common):
    """The rate times the gradient is what a parameter loses: the moments stay 0, and the clock counts."""

    dialect = "candle.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        s.p = s.p - s.h.lr * g


@wrong(
    "schedule",
    "STEP.1",
    like="CyberZHG/keras-radam#8: min(t, decay_steps)/decay_steps has counted the steps of the warmup too",
)
class TwentySixthBDecayedAtWarmupsEnd(Keras):
    """Six updates warm up to the rate; the decay of four that follows counts from 1, and so the rate is 0."""

    dialect = "keras.Adam"
    total_steps, warmup_proportion, min_lr = 10, 0.6, 0.0

    def rate(self, s: Slot) -> float:
        warmup_steps = self.total_steps * self.warmup_proportion
        decay_steps = max(self.total_steps - warmup_steps, 1)
        if s.t <= warmup_steps:
            return s.h.lr * (s.t / warmup_steps)
        return s.h.lr + (self.min_lr - s.h.lr) * min(s.t, decay_steps) / decay_steps

    def move(self, s: Slot, u: Array) -> None:
        lr = self.rate(s)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "layout sharding",
    "MOM.1",
    like="deepspeedai/DeepSpeed#2343: buckets are in the order of arrival, in which ranks differ",
)
class TwentySixthBBucketsInOrderOfArrival(Holding):
    """Two ranks put gradients into a bucket in opposite orders, and the two buckets are averaged as rows."""

    def all(self, grads: Sequence[Array | None]) -> None:
        found = list(grads)
        buckets: dict[str, list[int]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                buckets.setdefault(s.p.dtype.str, []).append(s.index)
        for indices in buckets.values():
            rows = [flat(np.asarray(grads[i])) for i in indices]
            bucket = (np.concatenate(rows) + np.concatenate(rows[::-1])) / 2
            ends = np.cumsum([row.size for row in rows])[:-1]
            for i, row in zip(indices, np.split(bucket, ends), strict=True):
                found[i] = row.astype(self.slots[i].p.dtype)
        super().all(found)
