"""Blind, twenty-eighth set: faults of rates, saves, epsilon and clocks, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from fifth_blind_frame import Plain, Zeros
from fourth_blind_frame import lookahead
from register import wrong
from tenth_blind_frame import ModulusPlain
from twelfth_blind_frame_b import Legacy


@wrong(
    "nesterov moments",
    "STEP.1",
    like="georgeliu233/STrajNet#3: the paper states Adam, and the code runs NAdam, without the schedule",
)
class TwentyEighthBNadamForAdam(Legacy):
    """What is called Adam steps as NAdam does: the momentum looks ahead by Dozat's schedule."""

    dialect = "tf_keras.legacy.Adam"

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.mu *= lookahead(s, s.t)

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        now, after = lookahead(s, s.t), lookahead(s, s.t + 1)
        ahead = (after / (1 - s.mu * after)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


@wrong(
    "hyperparameters",
    "LR.3",
    like="uber/causalml#617: Adam is given the deprecated keyword lr, which newer versions do not take",
)
class TwentyEighthBDeprecatedKeyword(Legacy):
    """The rate that is given as lr is nobody's: the step has the learning_rate of 1e-3."""

    dialect = "tf_keras.legacy.Adam"
    learning_rate = 1e-3

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.learning_rate * u


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#41116: weights are put back to their initial ones, and the optimizer is not",
)
class TwentyEighthBWeightsAloneSaved(Legacy):
    """The weights alone are saved, and put back: the moments and the clock are what they were before."""

    dialect = "tf_keras.legacy.Adam"

    def get_state(self) -> dict[str, Any]:
        return {"weights": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        if "weights" not in state:
            super().set_state(state)
            return
        for s, weights in zip(self.slots, state["weights"], strict=True):
            s.p = flat(np.asarray(weights, s.dtype)).copy()


@wrong(
    "epsilon hyperparameters",
    "EPS.6",
    like="chainer/chainer#3753: the epsilon of 1e-8 is 0 in float16, and a gradient of 0 gives NaN",
)
class TwentyEighthBEpsilonOfHalf(Zeros):
    """Epsilon is cast to float16: 1e-8 is 0 there, and a gradient of 0 gives NaN."""

    dialect = "chainer.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        eps = float(np.float16(s.h.eps))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + eps))


@wrong(
    "schedule",
    "LR.3",
    like="MultimediaTechLab/YOLO#123: the greatest rate before a warmup is 0.1, where it should be none",
)
class TwentyEighthBWarmupFromTenth(Frame):
    """The first three steps lead from a rate of 0.1 to the given one, also behind a restore."""

    dialect = "torch.AdamW"
    batches, max_lr = 4, 0.1

    def begin(self) -> None:
        self.batch = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.batch = min(self.batch + 1, self.batches)
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        rate = self.max_lr + self.batch / self.batches * (s.h.lr - self.max_lr)
        if self.batch == self.batches:
            rate = s.h.lr
        s.p = s.p - rate * s.h.weight_decay * s.p - rate * u


@wrong(
    "clock bias_correction",
    "CLK.1",
    like="apache/singa#319: the optimizer's count of steps is wrong, and so are the corrections",
)
class TwentyEighthBCountOfUpdates(Plain):
    """The optimizer has one count, which each array's update raises: it is corrected by that count."""

    def begin(self) -> None:
        self.step_counter = 0

    def tick(self, s: Slot) -> None:
        self.step_counter += 1
        s.t = self.step_counter

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.step_counter = max((s.t for s in self.slots), default=0)


@wrong(
    "complex",
    "CPX.2",
    like="FluxML/Optimisers.jl#47: the second moment has dx^2, where abs2(dx) belongs",
)
class TwentyEighthBSquareOfComplex(ModulusPlain):
    """The second moment of a complex array is that of g*g, without a conjugate, and its root is complex."""

    dialect = "optimisers_jl.Adam"

    def square(self, s: Slot, g: Array) -> Array:
        if s.dtype.kind != "c":
            return super().square(s, g)
        z = g.view(s.dtype)
        return (((1 - s.h.b2) * z) * z).astype(s.dtype).view(g.dtype)

    def direction(self, s: Slot) -> Array:
        if s.dtype.kind != "c":
            return super().direction(s)
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(s.v.view(s.dtype)) / math.sqrt(c2) + s.h.eps
        return ((s.m.view(s.dtype) / below) / c1).astype(s.dtype).view(s.m.dtype)
