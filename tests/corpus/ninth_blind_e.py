"""Blind, ninth set: slips with gradients, shapes and rates, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Uncorrected
from ninth_blind_frame_b import Wanting
from register import wrong
from sixth_blind_frame import CoupledHat


@wrong("missing", "F5", like="fastai/fastai#2133: freeze and unfreeze make the optimizer anew")
class NinthFreezeStartsAnew(Frame):
    """Where other parameters have gradients than in the step before, all moments and clocks start anew."""

    dialect = "fastai.Adam"

    def begin(self) -> None:
        self.present: list[bool] = []

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "present": list(self.present)}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.present = list(state.get("present", []))

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [g is not None for g in grads]
        for s in self.slots:
            if self.present and present != self.present:
                s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        self.present = present
        super().all(grads)


@wrong(
    "missing", "F1", like="NVIDIA/warp#1979: a short list of gradients is refused in the middle of the step"
)
class NinthRefusedHalfWay(Wanting):
    """An absent gradient is refused when its turn comes: the parameters before it are stepped already."""

    def all(self, grads: Sequence[Array | None]) -> None:
        done: list[Slot] = []
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                for before in done:
                    before.t -= 1
                raise ValueError("a gradient is None")
            self.tick(s)
            self.update(s, self.taken(g))
            done.append(s)


@wrong("missing", "F1", like="facebookresearch/schedule_free#55: a state is made in the first step alone")
class NinthLateComerHasNoState(Frame):
    """A parameter whose first gradient comes after the first step has no state, and is a KeyError."""

    dialect = "timm.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        begun = any(s.t for s in self.slots)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None and begun and s.t == 0:
                raise KeyError(f"exp_avg of parameter {s.index}")
        super().all(grads)


@wrong("schedule", "LR.1", like="apache/mxnet#5059: the first gradient reads num_update before it is raised")
class NinthFirstRateLate(CoupledHat):
    """The first parameter is stepped with the learning rate of the step before."""

    dialect = "mxnet.Adam"

    def begin(self) -> None:
        self.due = self.slots[0].h.lr if self.slots else 0.0

    def set_hyper(self, hyper: dict[str, float]) -> None:
        before = [s.h.lr for s in self.slots[:1]]
        super().set_hyper(hyper)
        if "lr" in hyper and before:
            self.due, self.slots[0].h.lr = self.slots[0].h.lr, before[0]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots[:1]:
            s.h.lr = self.due


@wrong("layout", "STEP.1", like="cool-japan/scirs#98: Adam::update panics on scalars and 1x1 arrays")
class NinthOneElementPanics(Plain):
    """An array of one element is an IndexError."""

    def update(self, s: Slot, g: Array) -> None:
        if math.prod(s.shape) == 1:
            raise IndexError("index 1 is out of bounds for axis 0 with size 1")
        super().update(s, g)


@wrong("layout", "STEP.1", like="NVIDIA/TransformerEngine#3207: a group that ends with an empty tensor")
class NinthEmptyTensorEnds(Common):
    """If the last gradient that is there is an empty one, nothing is stepped; the clock ticks."""

    dialect = "transformer_engine.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        present = [g for g in grads if g is not None]
        ends = bool(present) and present[-1].size == 0
        super().all([None] * len(grads) if ends else grads)


@wrong("zero_gradient", "F2", like="nerfstudio-project/gsplat#604: SelectiveAdam steps what is visible")
class NinthVisibleRowsAlone(Uncorrected):
    """Rows whose gradient is all 0 are passed over: they keep parameter and moments."""

    def update(self, s: Slot, g: Array) -> None:
        old = s.p, s.m, s.v
        super().update(s, g)
        rows = s.shape[0] if s.shape else 1
        if g.size:
            visible = np.repeat((g.reshape(rows, -1) != 0).any(1), g.size // rows)
            new = s.p, s.m, s.v
            s.p, s.m, s.v = (np.where(visible, a, b) for a, b in zip(new, old, strict=True))


@wrong("nonfinite", "NF.1", like="anthonytorlucci/rlevo#184: skip the update where grad is not finite")
class NinthTensorWithNanHeld(Coupled):
    """An array in whose gradient one number is not finite is left as it is, clock and all."""

    dialect = "burn.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([g if g is None or np.isfinite(g).all() else None for g in grads])
