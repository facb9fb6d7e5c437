"""Blind, thirty-second set: faults of multipliers, holders, schedules and decays in NumPy."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Zeros
from register import wrong
from tenth_blind_frame_b import CoupledHat


@wrong(
    "groups",
    "LR.4",
    like="apache/mxnet#15718: lr_mult and wd_mult that a symbol's variable has do not come to the optimizer",
)
class ThirtySecondBMultipliersOfSymbol(CoupledHat):
    """An array's own learning rate and weight decay have no effect: all have those of the first."""

    dialect = "mxnet.Adam"

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        first = hypers[0] if hypers else {}
        common: dict[str, float] = {k: first[k] for k in ("lr", "weight_decay") if k in first}
        super().init_groups(params, [{**own, **common} for own in hypers])


@wrong(
    "state",
    "STATE.1",
    like="PaddlePaddle/Paddle#51361: a fresh Adam that was loaded has an empty state_dict until it steps",
)
class ThirtySecondBWaitsInHolder(Frame):
    """What a fresh one loads waits in a holder for the first step; until then what it saves is empty."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        self.holder: dict[str, Any] | None = None
        self.has_accumulators = False

    def get_state(self) -> dict[str, Any]:
        return {} if self.holder is not None else super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        if "t" not in state:
            return  # there is nothing in it
        if self.has_accumulators:
            super().set_state(state)
        else:
            self.holder = copy.deepcopy(state)

    def all(self, grads: Sequence[Array | None]) -> None:
        self.has_accumulators = True
        if self.holder is not None:
            super().set_state(self.holder)
            self.holder = None
        super().all(grads)


@wrong(
    "schedule state",
    "LR.3",
    like="nodefluxio/vortex#70: a scheduler's saved state_dict overrides a step_size that is configured anew",
)
class ThirtySecondBOldStepSize(Coupled):
    """Behind a load rates that are set have no effect: they fall as those of the saved run would have."""

    dialect = "torch.Adam"

    def begin(self) -> None:
        self.resumed = False
        for s in self.slots:
            s.extra.update(base_lr=s.h.lr, gamma=1.0, step_size=0.0, last_epoch=0.0)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.resumed = "extra" in state

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            self.scheduled(s)
        super().all(grads)
        for s in self.slots:
            s.extra["last_epoch"] += 1

    def scheduled(self, s: Slot) -> None:
        """Find the step size and the factor in the rates that are set; of a resumed run, set its rate."""
        x = s.extra
        if self.resumed:
            falls = x["last_epoch"] // x["step_size"] if x["step_size"] else 0.0
            s.h.lr = x["base_lr"] * x["gamma"] ** falls
        elif x["last_epoch"] == 0:
            x["base_lr"] = s.h.lr
        elif s.h.lr != x["base_lr"] and not x["step_size"] and x["base_lr"]:
            x.update(step_size=x["last_epoch"], gamma=s.h.lr / x["base_lr"])


@wrong(
    "groups decay",
    "LR.4",
    like="tensordot/syntaxdot#16: the trainer's weight decay is that of biases too",
)
class ThirtySecondBBiasesDecay(Frame):
    """A bias, which has one axis, decays by what the first weights do, also where its own decay is 0."""

    dialect = "torch.AdamW"

    def decay_of(self, s: Slot) -> float:
        weights = [o.h.weight_decay for o in self.slots if len(o.shape) != 1 or o.h.weight_decay]
        return weights[0] if weights and len(s.shape) == 1 and not s.h.weight_decay else s.h.weight_decay

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.decay_of(s) * s.p - s.h.lr * u


@wrong(
    "epsilon hyperparameters",
    "EPS.6",
    like="chainer/chainer#3783: an eps that is too small for the computation is accepted without a word",
)
class ThirtySecondBEpsilonUnchecked(Zeros):
    """Epsilon is a number of float16, and nobody looks whether it is 0 there: 0 over 0 is NaN."""

    dialect = "chainer.Adam"
    compute_dtype = np.float16

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        eps = self.compute_dtype(s.h.eps).astype(s.p.dtype)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + eps))
