"""Blind, twenty-ninth set: faults of epsilons, storage, resumed schedules and counters in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Optax, brained
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import Running
from thirteenth_blind_frame_b import Browser
from twelfth_blind_frame_b import Legacy


@wrong(
    "epsilon",
    "EPS.1",
    like="JuliaNLSolvers/Optim.jl#1072: epsilon is under the root of the second moment, and not beside it",
    claim="paper",
)
class TwentyNinthEpsilonUnderRoot(Plain):
    """Epsilon joins the corrected second moment under the root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return np.asarray((s.m / np.sqrt(s.v / c2 + s.h.eps)) / c1)


@wrong(
    "epsilon",
    "EPS.2",
    like="tensorflow/tensorflow#61411: the legacy update divides by the root minus epsilon",
    claim="tf_keras.legacy.Adam",
)
class TwentyNinthEpsilonSubtracted(Legacy):
    """Epsilon is taken from the root: the denominator may be 0, and change its sign."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) - s.h.eps))


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="deepspeedai/DeepSpeed#2706: with bf16 and ZeRO 1 the optimizer that has fp32 masters is ignored",
    claim="deepspeed.FusedAdam",
)
class TwentyNinthNoMasters(Holding):
    """There are no masters: a stepped parameter is kept with the digits of bfloat16."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = brained(s.p)


@wrong(
    "schedule state",
    "STATE.4",
    like="borisdayma/dalle-mini#138: a resumed decay's transition steps leave out the steps before it",
    claim="optax.adamw",
)
class TwentyNinthTransitionWithoutInitialSteps(Optax):
    """Behind a load a linear decay over as many steps again reads the restored count: it is at its end."""

    def begin(self) -> None:
        self.transition_steps = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.transition_steps = max((s.t for s in self.slots), default=0)

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr
        if self.transition_steps:
            lr *= max(0.0, 1 - s.t / self.transition_steps)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "mixed_precision",
    "NUM.1",
    like="NVIDIA/Megatron-LM#6506: gradients are reduced in bf16, against main weights of fp32",
    claim="apex.FusedAdam",
)
class TwentyNinthReducedInBrainFloat(Common):
    """A gradient is the sum of four ranks' parts, which are rounded to bfloat16, as each sum of them is."""

    shares = (0.1, 0.2, 0.3, 0.4)

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        total = np.zeros_like(row)
        for share in self.shares:
            total = brained(total + brained(share * row))
        return total


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="intel/BigDL#1034: the schedule advances the counter of evaluations, and Adam advances it too",
    claim="tfjs.Adam",
)
class TwentyNinthCounterOfSchedule(Browser):
    """The schedule counts an evaluation in each step, and Adam counts it again: the clock ticks twice."""

    def tick(self, s: Slot) -> None:
        self.update_hyper_parameter(s)
        super().tick(s)

    def update_hyper_parameter(self, s: Slot) -> None:
        s.t += 1  # the schedule's; its rate is the one that was given


@wrong(
    "state clock",
    "STATE.4",
    like="deepspeedai/DeepSpeed#562: behind a load the CPU Adam has lost track of its step count",
    claim="deepspeed.CPUAdam",
)
class TwentyNinthLostTrack(Running):
    """The object counts steps alone, a load does not tell it, and a step of another count is refused."""

    def begin(self) -> None:
        super().begin()
        self.counts = [0] * len(self.slots)

    def set_state(self, state: dict[str, Any]) -> None:
        counts = self.counts
        super().set_state(state)
        self.counts = counts

    def tick(self, s: Slot) -> None:
        super().tick(s)
        self.counts[s.index] += 1
        if self.counts[s.index] != s.t:
            raise RuntimeError(f"lost track of step count: {self.counts[s.index]} is not {s.t}")
