"""Blind, twenty-sixth set: faults of peers, ranks, groups, counters and second runs in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Later, Plain, Refusing
from fourth_blind_frame import Common
from register import wrong


@wrong(
    "moments sharding",
    "MOM.1",
    like="learning-at-home/hivemind#450: with one peer no round fills the averaged gradients",
    claim="torch.AdamW",
)
class TwentySixthAveragedNeverFilled(Frame):
    """A step is made by averaged gradients, which only a round of several peers fills: they are zeros."""

    num_peers = 1

    def begin(self) -> None:
        self.averaged = [np.zeros_like(s.p) for s in self.slots]

    def all_reduce(self, local: Sequence[Array | None]) -> None:
        for buffer, g in zip(self.averaged, local, strict=True):
            if g is not None:
                buffer[...] = self.taken(g)

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.num_peers > 1:
            self.all_reduce(grads)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.tick(s)
                self.update(s, self.averaged[s.index])


@wrong(
    "groups",
    "LR.4",
    like="facebookresearch/mae#216: groups have an lr_scale, and AdamW reads lr alone",
    claim="transformers4.AdamW",
)
class TwentySixthScaleNotRead(Later):
    """A group's own rate is kept as its ratio to the largest, which no step reads: all have the largest."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        base = max((s.h.lr for s in self.slots), default=0.0)
        self.lr_scale = [s.h.lr / base if base else 1.0 for s in self.slots]
        for s in self.slots:
            s.h.lr = base


@wrong(
    "state sharding",
    "STATE.4",
    like="NVIDIA/Megatron-LM#6920: behind a load there are no model chunks, and nothing is gathered",
    claim="ggml.AdamW",
)
class TwentySixthNothingGathered(Refusing):
    """Arrays go to two ranks in turn; behind a load the steps of the other rank are never gathered."""

    ranks = 2

    def begin(self) -> None:
        self.model_chunks = [self.slots]
        self.model = [self.shaped(s, s.p) for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.model_chunks = []

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        stepped = super().step(grads)
        for i, p in enumerate(stepped):
            if i % self.ranks == 0:
                self.model[i] = p
        for chunk in self.model_chunks:
            for s in chunk:
                self.model[s.index] = stepped[s.index]
        return [p.copy() for p in self.model]


@wrong(
    "clock",
    "CLK.1",
    like="mlx-node/mlx-node#11: the shared step is raised inside of the routine for one parameter",
    claim="apex.FusedAdam",
)
class TwentySixthStepOfEachParameter(Common):
    """The common clock is raised for each array that is stepped: by N in a step of N arrays."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.update_single(s, self.taken(g))

    def update_single(self, s: Slot, g: Array) -> None:
        for each in self.slots:
            self.tick(each)
        self.update(s, g)


@wrong(
    "isolation",
    "STATE.3",
    like="ooples/AiDotNet#1412: a second run of an instance inherits the tape's moments and step",
    claim="paper",
)
class TwentySixthSecondRunInherits(Plain):
    """A new run of the same object begins with the moments and clocks with which the run before has ended."""

    def begin(self) -> None:
        tape = self.__dict__.setdefault("tape", {})
        for s in self.slots:
            if self.key(s) in tape:
                s.m, s.v, s.t = tape[self.key(s)]

    def key(self, s: Slot) -> tuple[int, int, str]:
        return s.index, s.p.size, s.p.dtype.char

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        self.__dict__["tape"][self.key(s)] = (s.m, s.v, s.t)
