"""Blind, twenty-seventh set: faults of epsilons, corrections and restored states in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Common, Keras
from register import wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "epsilon",
    "EPS.1",
    like="mratsim/Arraymancer#392: epsilon is added before the second moment's correction is applied",
    claim="paper",
)
class TwentySeventhEpsilonIsScaled(Plain):
    """Epsilon joins the root of v, and the correction divides both: epsilon is larger in early steps."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(s.v)
        below += s.h.eps
        below /= math.sqrt(c2)
        return (s.m / below) / c1


@wrong(
    "bias_correction",
    "BC.1",
    like="princesslana/princhess#438: an update like AdamW's, whose moments are not corrected",
    claim="candle.AdamW",
)
class TwentySeventhMomentsAreNotCorrected(Common):
    """Both moments start at zero, and are used as they are: no bias correction."""

    dialect = "candle.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        s.m += (1 - s.h.b1) * (g - s.m)
        s.v += ((1 - s.h.b2) * g) * g - (1 - s.h.b2) * s.v
        decayed = s.p * (1 - s.h.lr * s.h.weight_decay)
        s.p = decayed - s.h.lr * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "state",
    "STATE.2",
    like="ooples/AiDotNet#1240: a load in the other mode leaves the former buffer beside the restored one",
    claim="paper",
)
class TwentySeventhFormerBufferStays(Plain):
    """A load brings a packed first moment; the full one of an optimizer that has stepped is used still."""

    def begin(self) -> None:
        self.full: dict[int, Array] = {}
        self.packed: dict[int, bytes] = {}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.packed = {s.index: s.m.tobytes() for s in self.slots}

    def first(self, s: Slot) -> Array:
        if s.index in self.full:
            return self.full[s.index]
        if s.index in self.packed:
            return np.frombuffer(self.packed.pop(s.index), s.p.dtype)
        return np.zeros_like(s.p)

    def learn(self, s: Slot, g: Array) -> None:
        s.m = self.first(s)
        super().learn(s, g)
        self.full[s.index] = s.m


@wrong(
    "schedule state",
    "STATE.4",
    like="ooples/AiDotNet#2051: AdamW's checkpoint has no scheduler, and rates differ behind a restore",
    claim="torch.AdamW",
)
class TwentySeventhSchedulerNotRestored(Frame):
    """A checkpoint has no scheduler: behind a load the rate stays what it is, whatever is scheduled."""

    def begin(self) -> None:
        self.scheduled = True

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.scheduled = False

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper if self.scheduled else {k: x for k, x in hyper.items() if k != "lr"})


@wrong(
    "state",
    "STATE.4",
    like="hill-a/stable-baselines#243: a reloaded agent has its weights, and not the state of its Adam",
    claim="tf1.Adam",
)
class TwentySeventhWeightsAloneAreSaved(Slotted):
    """What is saved is the weights; moments and beta powers are neither saved nor restored."""

    def get_state(self) -> dict[str, Any]:
        return {"parameters": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        for s, p in zip(self.slots, state.get("parameters", []), strict=False):
            s.p = np.ascontiguousarray(p).reshape(-1).view(s.p.dtype).copy()


@wrong(
    "state hyperparameters",
    "STATE.1",
    like="pytorch/examples#816: a load on resume puts the saved rate in the place of the one that is given",
    claim="torch.AdamW",
)
class TwentySeventhSavedRateWins(Frame):
    """The rate is a part of the saved state: a load overwrites the one that the new run was given."""

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "lr": [s.h.lr for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.h.lr = state["lr"][s.index] if "lr" in state else s.h.lr


@wrong(
    "clock missing",
    "CLK.1",
    like="pytorch/FBGEMM#3558: rare rows are corrected for the global iteration, and not for their updates",
    claim="paper",
)
class TwentySeventhGlobalIteration(Plain):
    """The correction has the count of all iterations, for arrays too that had few gradients."""

    def begin(self) -> None:
        self.iteration = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.iteration = 1 + max((s.t for s in self.slots), default=0)
        super().all(grads)

    def missed(self, s: Slot) -> None:
        s.t = self.iteration

    def tick(self, s: Slot) -> None:
        s.t = self.iteration


@wrong(
    "layout moments",
    "STEP.1",
    like="tensorflow/tensorflow#30712: a shared layer's variable is listed more than once for the optimizer",
    claim="keras.Adam",
)
class TwentySeventhVariableListedTwice(Keras):
    """The first variable is listed once more behind the others, and stepped twice by its gradient."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            self.tick(s)
        pairs = list(zip(self.slots, grads, strict=True))
        for s, g in pairs + pairs[:1]:
            if g is not None:
                self.update(s, self.taken(g))
