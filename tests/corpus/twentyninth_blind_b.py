"""Blind, twenty-ninth set: faults of rectified steps, norms, bounds and flattened weights in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras
from register import wrong
from sixth_blind_frame import CoupledHat, Running


@wrong(
    "moments bias_correction",
    "STEP.1",
    like="taki0112/RAdam-Tensorflow#2: the rectified branch begins at a length of 5, and not above 4",
    claim="paper",
)
class TwentyNinthRectifiedLater(Plain):
    """A step whose average has a length above 4 and below 5 is the first moment, not divided by a root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        longest = 2 / (1 - s.h.b2) - 1
        length = longest - 2 * s.t * (1 - c2) / c2
        if 4 < length < 5:
            return s.m / c1
        return super().direction(s)


@wrong(
    "zero_gradient nonfinite",
    "F2",
    like="deepspeedai/DeepSpeed#5223: the bf16 optimizer asserts that the norm of all gradients is positive",
    claim="deepspeed.CPUAdam",
)
class TwentyNinthNormIsPositive(Running):
    """A step is refused where the norm of all its gradients is not above 0: of zeros, and of NaN."""

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [self.taken(g) for g in grads if g is not None]
        norms = [float(np.hypot.reduce(row.astype(np.float64))) for row in rows if row.size]
        if norms and not sum(norms) > 0:
            raise AssertionError("all_groups_norm is not positive")
        super().all(grads)


@wrong(
    "schedule clipping",
    "LR.2",
    like="CyberZHG/keras-adabound#1: the bounds of the rate do not follow a schedule that lowers it",
    claim="keras.Adam",
)
class TwentyNinthBoundsOfFirstRate(Keras):
    """The rate is kept between bounds that close in on the first rate, however low a schedule makes it."""

    dialect = "keras.Adam"
    gamma = 1e-3

    def begin(self) -> None:
        self.base = [s.h.lr for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        lr, final = s.h.lr, self.base[s.index]
        if final > 0:
            low = final * (1 - 1 / (self.gamma * s.t + 1))
            high = final * (1 + 1 / (self.gamma * s.t))
            lr = min(max(lr, low), high)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "missing layout",
    "F1",
    like="clab/dynet#1203: lookup parameters that are not to be updated are changed by the trainer",
    claim="paper",
)
class TwentyNinthFrozenTableMoves(Plain):
    """An array of two axes that has no gradient is stepped on by the momentum that is left."""

    def missed(self, s: Slot) -> None:
        if len(s.shape) == 2:
            self.tick(s)
            self.update(s, np.zeros_like(s.p))


@wrong(
    "layout",
    "STEP.1",
    like="torch/DEPRECATED-torch7-distro#156: flattened weights, if shared, are half as long as gradients",
    claim="torch-1.2.Adam",
)
class TwentyNinthSharedWeightsOnce(CoupledHat):
    """Weights of one shape are taken for shared, and flattened once: gradients of the others are dropped."""

    def begin(self) -> None:
        self.places: dict[Any, Slot] = {}
        for s in self.slots:
            self.places.setdefault((s.shape, s.dtype), s)

    def update(self, s: Slot, g: Array) -> None:
        if self.places[s.shape, s.dtype] is s:
            super().update(s, g)


@wrong(
    "state",
    "STATE.4",
    like="deepspeedai/DeepSpeed#5211: without a dummy step a load writes to states that are not there yet",
    claim="torch.AdamW",
)
class TwentyNinthStatesNotThereYet(Frame):
    """A parameter has a place for its state from its first update on: a load before it is an error."""

    def begin(self) -> None:
        self.states: dict[int, Slot] = {}

    def update(self, s: Slot, g: Array) -> None:
        self.states.setdefault(s.index, s)
        super().update(s, g)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            self.states[s.index].t = s.t
