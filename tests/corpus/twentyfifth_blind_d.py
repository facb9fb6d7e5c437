"""Blind, twenty-fifth set: faults of checkpoints, rates, gradients and ranks, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common
from register import wrong


@wrong(
    "state",
    "STATE.4",
    like="paiml/entrenar#287: a checkpoint has the embedding's moments, and none of the blocks' on the GPU",
)
class TwentyFifthBEmbeddingMomentsAlone(Frame):
    """A checkpoint has the first array's moments; those of all others are zeros in it, and clocks go on."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for name in ("m", "v"):
            embedding, *blocks = state[name] or [None]
            if blocks:
                state[name] = [embedding, *(np.zeros_like(a) for a in blocks)]
        return state


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="IntelLabs/matsciml#240: with manual optimization the force task does not step the rate's scheduler",
)
class TwentyFifthBManualOptimization(Frame):
    """Optimization is manual, and nobody steps the scheduler of rates there: the first rate stays."""

    automatic_optimization = False

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if not self.automatic_optimization:
            hyper = {name: value for name, value in hyper.items() if name != "lr"}
        super().set_hyper(hyper)


@wrong(
    "moments",
    "MOM.1",
    like="salesforce/corr_based_prediction#1: zero_grad stands before the loop, and gradients pile up",
)
class TwentyFifthBGradientsPileUp(Coupled):
    """No gradient is cleared between two batches: each step is that of the sum of all that there were."""

    def begin(self) -> None:
        self.zero_grad()

    def zero_grad(self) -> None:
        self.grads: list[Array | None] = [None] * len(self.slots)

    def update(self, s: Slot, g: Array) -> None:
        before = self.grads[s.index]
        total = g.copy() if before is None else before + g
        self.grads[s.index] = total
        super().update(s, total)


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="jrios6/Adam-vs-SGD-Numpy#1: epsilon is written as 10e-8, ten times that of the paper",
)
class TwentyFifthBTenfoldEpsilon(Plain):
    """Epsilon is a number in the code, 10e-8, whatever is given."""

    epsilon = 10e-8

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + self.epsilon)) / c1


@wrong(
    "moments aliasing",
    "STEP.1",
    like="intel/ipex-llm#2709: a validation in the optimizer's loop has weights without the latest update",
)
class TwentyFifthBWeightsOfLastIteration(Plain):
    """The parameters that a step hands out were copied before its update: each one is seen a step late."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        broadcast = [self.shaped(s, s.p) for s in self.slots]
        super().step(grads)
        return broadcast


@wrong(
    "moments layout",
    "MOM.1",
    like="NVIDIA/Megatron-LM#5956: gradients of experts are not divided by the expert-parallel size",
)
class TwentyFifthBExpertsNotAveraged(Common):
    """Every second array is an expert's, whose gradient is a sum over eight ranks that nothing divides."""

    expert_parallel_size = 8

    def update(self, s: Slot, g: Array) -> None:
        is_expert = s.index % 2 == 1
        super().update(s, g * g.dtype.type(self.expert_parallel_size) if is_expert else g)


@wrong(
    "moments layout",
    "STEP.1",
    like="Lu-Feng/SuperVLAD#1: one Adam has all parameters, and another one the encoder's once more",
)
class TwentyFifthBEncoderTwice(Coupled):
    """The first array is stepped twice in each step: by this Adam, and by one with moments of its own."""

    def begin(self) -> None:
        self.encoder = [self.twin(s) for s in self.slots[:1]]

    def twin(self, s: Slot) -> Slot:
        m, v, top = (np.zeros_like(s.p) for _ in range(3))
        return Slot(s.index, s.h, s.shape, s.dtype, s.p, m, v, top)

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s, twin, g in zip(self.slots, self.encoder, grads, strict=False):
            if g is not None:
                twin.p = s.p
                self.tick(twin)
                self.update(twin, self.taken(g))
                s.p = twin.p

    def get_state(self) -> dict[str, Any]:
        second = [{"t": e.t, "m": e.m.copy(), "v": e.v.copy()} for e in self.encoder]
        return {**super().get_state(), "encoder": second}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for e, own in zip(self.encoder, state.get("encoder", []), strict=False):
            e.t, e.m, e.v = int(own["t"]), np.array(own["m"]), np.array(own["v"])
