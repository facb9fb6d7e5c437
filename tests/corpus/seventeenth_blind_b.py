"""Blind, seventeenth set: faults of states, precision and shards, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fourteenth_blind_frame_b import FormerKeras
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import WantingHat
from tenth_blind_frame import ModulusPlain
from twelfth_blind_frame_b import begun


@wrong(
    "state mixed_precision",
    "STATE.4",
    like="facebookresearch/ParlAI#1772: to resume in fp32 what was trained in fp16 resets the optimizer",
)
class SeventeenthPrecisionSwitched(Frame):
    """A run begins with fp16 and is resumed without it: what differs in that resumes with a new state."""

    fp16 = True

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "fp16": self.fp16}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.fp16 = False
        if state.get("fp16", self.fp16) != self.fp16:
            for s in self.slots:
                begun(s)


@wrong(
    "state",
    "STATE.4",
    like="keras-team/tf-keras#347: two kinds of clipping are set as attributes, and no load accepts both",
)
class SeventeenthConfigRefused(FormerKeras):
    """Two norms that clip are set once it is made, both infinite; a saved config with both is an error."""

    clipnorm: float | None = None
    global_clipnorm: float | None = None

    def begin(self) -> None:
        self.clipnorm = math.inf
        self.global_clipnorm = math.inf

    def get_state(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in ("clipnorm", "global_clipnorm")}
        return {**super().get_state(), "config": config}

    def set_state(self, state: dict[str, Any]) -> None:
        config = state.get("config", {})
        if len(config) > 1 and None not in config.values():
            raise ValueError(f"at most one of {', '.join(config)} can be set")
        super().set_state(state)


@wrong(
    "state",
    "STATE.4",
    like="scikit-learn/scikit-learn#6091: with warm_start each call of fit makes a new AdamOptimizer",
)
class SeventeenthWarmStart(WantingHat):
    """A run that goes on from a state has parameters and a new optimizer: its first step is of signs."""

    def set_state(self, state: dict[str, Any]) -> None:
        self.fit([s.p for s in self.slots])

    def fit(self, coefficients: Sequence[Array]) -> None:
        for s, p in zip(self.slots, coefficients, strict=True):
            s.p = p
            begun(s)


@wrong(
    "state mixed_precision storage",
    "STATE.4",
    like="radixark/miles#2572: an adapter is restored, and the fp32 masters are those that were made first",
)
class SeventeenthStaleMasters(Frame):
    """Parameters are restored, their masters are of the run's first values: the next step goes back there."""

    def begin(self) -> None:
        self.made = [s.p.copy() for s in self.slots]

    def get_state(self) -> dict[str, Any]:
        made = [self.shaped(s, row) for s, row in zip(self.slots, self.made, strict=True)]
        return {**super().get_state(), "made": made}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "made" in state:
            self.made = [flat(np.asarray(a)).copy() for a in state["made"]]
            for s, row in zip(self.slots, self.made, strict=True):
                s.p = row.copy()


@wrong(
    "sharding moments epsilon",
    "MOM.1",
    like="deepspeedai/DeepSpeed#5618: gradients of experts are averaged over another group of ranks",
)
class SeventeenthExpertsFourfold(Holding):
    """Every second parameter is an expert's, whose gradient is a sum over four ranks, and not their mean."""

    ranks = 4

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g * self.ranks if self.is_expert(s) else g)

    def is_expert(self, s: Slot) -> bool:
        return s.index % 2 == 1


@wrong(
    "mixed_precision moments",
    "MOM.4",
    like="FluxML/Optimisers.jl#158: betas are Float64, and what they are multiplied by is promoted",
)
class SeventeenthBetasPromote(ModulusPlain):
    """Betas are float64 scalars of NumPy: moments of float32 are float64 from the first step on."""

    def learn(self, s: Slot, g: Array) -> None:
        b1, b2 = np.float64(s.h.b1), np.float64(s.h.b2)
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + self.square(s, g)

    def square(self, s: Slot, g: Array) -> Array:
        return super().square(s, g.astype(np.float64))

    def move(self, s: Slot, u: Array) -> None:
        s.p = (s.p - s.h.lr * u).astype(s.p.dtype)

    def shaped(self, s: Slot, row: Array) -> Array:
        return row.view(np.result_type(row.dtype, s.dtype)).reshape(s.shape).copy()


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#52346: after a restore slots and iterations are not those that were saved",
)
class SeventeenthRestoredTooEarly(FormerKeras):
    """The first step makes slots and iterations: what is restored before it is overwritten with zeros."""

    def begin(self) -> None:
        self.has_slots = False

    def all(self, grads: Sequence[Array | None]) -> None:
        if not self.has_slots:
            for s in self.slots:
                begun(s)
        self.has_slots = True
        super().all(grads)
