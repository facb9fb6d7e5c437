"""Blind, thirty-ninth set: faults of rates, slots, copies and norms in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fourth_blind_frame import brained
from register import wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "hyperparameters schedule",
    "STEP.1",
    like="bghira/SimpleTuner#305: the option steps by a relative rate of its own, not as other optimizers",
    claim="torch.AdamW",
)
class ThirtyNinthRelativeStep(Frame):
    """The given rate is not used: each step has one of its own, 0.01 at most, then 1/sqrt(t)."""

    def move(self, s: Slot, u: Array) -> None:
        relative = min(1e-2, 1 / math.sqrt(s.t))
        s.p = s.p - relative * s.h.weight_decay * s.p - relative * u


@wrong(
    "moments",
    "MOM.1",
    like="awjuliani/DeepRL-Agents#67: workers apply their gradients to the global slots without a lock",
    claim="tf1.Adam",
)
class ThirtyNinthSlotsRace(Slotted):
    """A worker that has read the slots earlier writes them back in every second step: what is new is lost."""

    def update(self, s: Slot, g: Array) -> None:
        read = s.m, s.v
        super().update(s, g)
        if s.t % 2 == 0:
            s.m, s.v = read


@wrong(
    "storage mixed_precision",
    "MOM.4",
    like="radixark/Megatron-LM#67: on the host masters and moments are fp32, whatever has been configured",
    claim="torch.Adam",
)
class ThirtyNinthHostIsSingle(Coupled):
    """Main parameters and both moments are float32 on the host, where float64 is asked for too."""

    def begin(self) -> None:
        for s in self.slots:
            s.p, s.m, s.v, s.top = (a.astype(np.float32) for a in (s.p, s.m, s.v, s.top))

    def taken(self, g: Array) -> Array:
        return flat(g).astype(np.float32)

    def shaped(self, s: Slot, row: Array) -> Array:
        whole = row.view(np.complex64 if s.dtype.kind == "c" else np.float32).reshape(s.shape)
        return whole.astype(s.dtype if row is s.p else whole.dtype)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v, s.top = (a.astype(np.float32) for a in (s.m, s.v, s.top))


@wrong(
    "schedule state",
    "STATE.4",
    like="lisa-lab/pylearn2#1226: of a model that is taken over, rate and momentum count epochs from zero",
    claim="torch.AdamW",
)
class ThirtyNinthEpochsFromZero(Frame):
    """Behind a load the schedules of rate and momentum begin anew: with the values of the first steps."""

    def begin(self) -> None:
        self.plans: list[list[tuple[float, float]]] = [[] for _ in self.slots]
        self.epochs = [0] * len(self.slots)

    def update(self, s: Slot, g: Array) -> None:
        plan, epoch, own = self.plans[s.index], self.epochs[s.index], s.h
        if epoch == len(plan):
            plan.append((own.lr, own.b1))
        rate, momentum = plan[epoch]
        s.h = replace(own, lr=rate, b1=momentum)
        super().update(s, g)
        s.h = own
        self.epochs[s.index] = epoch + 1

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "plans": [[list(pair) for pair in plan] for plan in self.plans]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.epochs = [0] * len(self.slots)
        plans = state.get("plans", [[] for _ in self.slots])
        self.plans = [[(float(rate), float(momentum)) for rate, momentum in plan] for plan in plans]


@wrong(
    "schedule hyperparameters",
    "STEP.1",
    like="ultralytics/ultralytics#23842: what auto chooses has its warmup_bias_lr forced to 0",
    claim="torch.AdamW",
)
class ThirtyNinthBiasWarmup(Frame):
    """Arrays of one axis or none are biases: their rate rises from 0 to the given one in 100 steps."""

    warmup_bias_lr, iterations = 0.0, 100

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr
        if len(s.shape) < 2:
            rate = float(np.interp(s.t - 1, [0, self.iterations], [self.warmup_bias_lr, s.h.lr]))
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong(
    "clipping mixed_precision",
    "CLIP.5",
    like="NVIDIA-NeMo/Megatron-Bridge#5411: under sequence parallelism in bf16 the norm is 10 percent off",
    claim="torch.AdamW",
)
class ThirtyNinthNormInBfloat(Frame):
    """The squares of the norm that clips to 1 are added up in bfloat16, on each of four ranks."""

    ranks, max_norm = 4, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        sums = np.zeros(self.ranks, np.float32)
        for g in grads:
            if g is not None:
                row = flat(g).astype(np.float32)
                padded = np.pad(row, (0, -row.size % self.ranks)).reshape(-1, self.ranks)
                for squares in brained(padded * padded):
                    sums = brained(sums + squares)
        total = np.float32(0)
        for part in sums:
            total = brained(np.asarray([total + part], np.float32))[0]
        share = min(1.0, self.max_norm / (math.sqrt(float(total)) + 1e-6))
        super().all([None if g is None else (g * share).astype(g.dtype) for g in grads])


@wrong(
    "layout moments",
    "STEP.1",
    like="pytorch/pytorch#14467: an optimizer has parameters that are the model's no more, and says nothing",
    claim="torch.Adam",
)
class ThirtyNinthStaleParameters(Coupled):
    """The optimizer's arrays are the model's no more: they get no gradients, and the model stays as it is."""

    def begin(self) -> None:
        self.model = [self.shaped(s, s.p) for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        super().step([None] * len(grads))  # what its own arrays have
        return [p.copy() for p in self.model]
