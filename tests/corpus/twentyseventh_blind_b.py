"""Blind, twenty-seventh set: faults of clocks, thresholds and schedules behind a load in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras
from register import wrong
from seventh_blind_frame import Holding


@wrong(
    "state clock",
    "STATE.4",
    like="deepspeedai/DeepSpeed#4396: the step is not saved in the groups, and corrections begin anew",
    claim="deepspeed.FusedAdam",
)
class TwentySeventhStepNotInGroups(Holding):
    """The saved state has moments and no step: behind a load the clock is 0."""

    def get_state(self) -> dict[str, Any]:
        return {name: x for name, x in super().get_state().items() if name != "t"}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"t": [0] * len(self.slots), **state})


@wrong(
    "bias_correction",
    "BC.2",
    like="stockeh/mlx-optimizers#39: Adam's correction in LAMB is left out, or one approximate factor",
    claim="torch.AdamW",
)
class TwentySeventhOneDebias(Frame):
    """One factor debiases the step, that of the first moment; the second is not corrected."""

    def direction(self, s: Slot) -> Array:
        debias = 1 / (1 - s.h.b1**s.t)
        return debias * (s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "moments layout",
    "MOM.2",
    like="tsotchke/eshkol#526: the Riemannian Adam has no second moment for each of a product's factors",
    claim="paper",
)
class TwentySeventhOneMomentForFactors(Plain):
    """All arrays have one second moment: that of the mean of all squares of the step's gradients."""

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [self.taken(g).astype(np.float64) for g in grads if g is not None]
        size = sum(row.size for row in rows)
        self.square = sum(float(row @ row) for row in rows) / size if size else 0.0
        super().all(grads)

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = (s.h.b2 * s.v + (1 - s.h.b2) * self.square).astype(s.p.dtype)


@wrong(
    "moments bias_correction",
    "STEP.1",
    like="lessw2020/Ranger-Deep-Learning-Optimizer#2: the threshold of tractability is 5, and not 4",
    claim="torch.AdamW",
)
class TwentySeventhDenominatorLeftOut(Frame):
    """While the rectified average is not longer than 5, a step is the corrected first moment alone."""

    threshold = 5

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        longest = 2 / (1 - s.h.b2) - 1
        length = longest - 2 * s.t * (1 - c2) / c2
        if length > self.threshold:
            return super().direction(s)
        return s.m / c1


@wrong(
    "schedule state",
    "STATE.4",
    like="tensorflow/tensorflow#47115: a load restores the iterations, and a cosine is past its last step",
    claim="keras.Adam",
)
class TwentySeventhCosineIsOver(Keras):
    """Behind a load a cosine, as long as the run before it, reads the restored iterations: the rate is 0."""

    def begin(self) -> None:
        self.decay_steps = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.decay_steps = max((s.t for s in self.slots), default=0)

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr
        if self.decay_steps:
            lr *= 0.5 * (1 + math.cos(math.pi * min(s.t / self.decay_steps, 1.0)))
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u
