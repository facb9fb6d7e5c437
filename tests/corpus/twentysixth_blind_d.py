"""Blind, twenty-sixth set: faults of resets, loads, clips and decays, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import CommonHat, Plain
from fourth_blind_frame import Common, Keras
from register import wrong
from sixth_blind_frame import Running


@wrong(
    "moments",
    "F4",
    like="MrNeRF/LichtFeld-Studio#1653: of six kinds of arrays, moments of the scales alone go at a split",
)
class TwentySixthBSplitClearsScales(Plain):
    """At every tenth update the second of six arrays loses the moments of its rows with large gradients."""

    kinds = "means", "scaling", "rotation", "opacity", "sh0", "shN"
    refine_every = 10

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        if s.t % self.refine_every == 0:
            self.split(s, g)

    def split(self, s: Slot, g: Array) -> None:
        if self.kinds[s.index % len(self.kinds)] != "scaling" or not g.size:
            return
        rows = g.reshape(s.shape[0] if s.shape else 1, -1)
        sizes = np.abs(rows).max(axis=1)
        indices = np.repeat(sizes >= sizes.mean(), rows.shape[1])
        s.m, s.v = np.where(indices, 0, s.m), np.where(indices, 0, s.v)


@wrong(
    "decay",
    "DEC.2",
    like="huggingface/accelerate#1208: with states that are offloaded it is not the CPU Adam that steps",
)
class TwentySixthBOtherAdamForOffload(Running):
    """Torch's Adam steps in the place of the CPU Adam, and has the decay in the gradient."""

    dialect = "deepspeed.CPUAdam"

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "state",
    "STATE.4",
    like="pluskid/Mocha.jl#102: a snapshot has parameters and the iteration, and no moment estimates",
)
class TwentySixthBSnapshotWithoutMoments(CommonHat):
    """A snapshot has the iteration and no moments, which are 0 behind a restart while the clock goes on."""

    def get_state(self) -> dict[str, Any]:
        return {"t": [s.t for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"t": state["t"]})
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong(
    "hyperparameters",
    "MOM.2",
    like="EleutherAI/gpt-neox#228: the configurations have 0.95 as the second beta where 0.999 is meant",
)
class TwentySixthBBetaOfConfig(Common):
    """The second beta is 0.95, as the configuration has it, and not the one that was meant."""

    config = {"b2": 0.95}  # noqa: RUF012

    def begin(self) -> None:
        for s in self.slots:
            s.h.read(self.config)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({**hyper, **self.config})


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="NVIDIA-NeMo/Automodel#3816: the norm is not summed over the expert axis: each group has its own",
)
class TwentySixthBNormOfExpertGroup(Frame):
    """Two groups hold half of the rows of each matrix, and clip to 1 by the norm of vectors and of it."""

    expert_groups, max_norm = 2, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        dense = [g for g in grads if g is not None and g.ndim < 2]
        experts = [self.pieces(g) for g in grads if g is not None and g.ndim > 1]
        norms = [
            math.sqrt(lengths([*dense, *(halves[rank] for halves in experts)]))
            for rank in range(self.expert_groups)
        ]
        self.factors = [self.max_norm / norm if norm > self.max_norm else 1.0 for norm in norms]
        super().all(grads)

    def pieces(self, g: Array) -> list[Array]:
        return np.array_split(g, self.expert_groups)

    def taken(self, g: Array) -> Array:
        if g.ndim < 2:
            return flat(g) * self.factors[0]  # of the replica that is saved
        parts = [part * factor for part, factor in zip(self.pieces(g), self.factors, strict=True)]
        return flat(np.concatenate(parts))


@wrong(
    "moments epsilon",
    "MOM.1",
    like="pytorch/pytorch#162338: with Gloo the reduction that averages gives gradients that are not means",
)
class TwentySixthBSumForMean(Frame):
    """Two ranks have the gradient each, and their average is their sum: nothing divides it."""

    world_size = 2

    def taken(self, g: Array) -> Array:
        mine = super().taken(g)
        total = np.zeros_like(mine)
        for _ in range(self.world_size):
            total += mine
        return total


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#53064: a saved model is restored without Adam's slots, and says nothing",
)
class TwentySixthBSlotsDropped(Keras):
    """A load takes the iterations; the slots m and v that were saved find no variable, and are fresh."""

    dialect = "keras.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        slots = [name for name, _ in self.kept()]
        super().set_state({name: x for name, x in state.items() if name not in slots})
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.p), np.zeros_like(s.p)


@wrong(
    "decay schedule",
    "DEC.2",
    like="tensorflow/tensorflow#22763: the decoupled decay is not scaled by the schedule of the rate",
)
class TwentySixthBDecayAtFullStrength(Keras):
    """The decay has the rate that was there at the beginning, however far the rate has fallen."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["full"] = s.h.lr

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.extra["full"] * s.h.weight_decay * s.p - s.h.lr * u


@wrong(
    "clock moments",
    "CLK.1",
    like="mlpack/mlpack#1587: each call of Optimize sets moments and iteration to 0, in a loop over epochs",
)
class TwentySixthBColdEpochs(Plain):
    """Optimize is called for each epoch of five batches, and begins with moments and an iteration of 0."""

    batches = 5

    def tick(self, s: Slot) -> None:
        if s.t == self.batches:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        super().tick(s)
