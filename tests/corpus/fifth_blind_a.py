"""Blind, fifth set: slips in what is averaged, and steps that borrow from other optimizers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Later, Plain
from fourth_blind_frame import Hat, Keras, brained
from register import wrong


@wrong("moments layout", "MOM.1", like="lessw2020/Ranger-Deep-Learning-Optimizer gradient centralization")
class FifthCentralized(Frame):
    """The mean of each row is subtracted from a gradient of two axes or more."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) > 1 and g.size:
            grid = g.reshape(s.shape[0], -1)
            g = (grid - grid.mean(axis=1, keepdims=True)).reshape(-1)
        super().update(s, g)


@wrong("moments", "MOM.1", like="ironjr/grokfast")
class FifthSlowGradientAmplified(Plain):
    """A slow average of the gradients is added to each gradient, twice as large."""

    def update(self, s: Slot, g: Array) -> None:
        slow = s.extra.get("slow")
        s.extra["slow"] = 0.02 * g if slow is None else 0.98 * slow + 0.02 * g
        super().update(s, g + 2 * s.extra["slow"])


@wrong("moments", "MOM.2", like="google-research/big_vision scale_by_adafactor, factored by default")
class FifthFactored(Later):
    """Of a matrix' second moment, the step sees the product of the means of rows and columns."""

    def direction(self, s: Slot) -> Array:
        whole = s.v
        if len(s.shape) == 2 and s.v.size and s.dtype.kind == "f":
            grid = s.v.reshape(s.shape)
            mean = grid.mean()
            if mean > 0:
                s.v = ((grid.mean(axis=1, keepdims=True) / mean) * grid.mean(axis=0)).reshape(-1)
        quotient = super().direction(s)
        s.v = whole
        return quotient


@wrong("moments", "MOM.2", like="tensorflow/swift-apis#313: AdaMax beside Adam")
class FifthDecayingMaximum(CommonHat):
    """The greater of new square and faded old second moment is kept, as AdaMax does with moduli."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = np.maximum(s.h.b2 * s.v, g * g)


@wrong("moments epsilon", "MOM.1", like="a gradient that is averaged over workers once too often")
class FifthDividedByCount(Keras):
    """Each gradient is divided by the number of parameters that have one."""

    def all(self, grads: Sequence[Array | None]) -> None:
        count = sum(g is not None for g in grads)
        super().all([None if g is None else g / count for g in grads])


@wrong("moments", "STEP.1", like="georgepar/optimistic-adam")
class FifthOptimistic(Plain):
    """The update counts twice, and the one before is taken back."""

    def move(self, s: Slot, u: Array) -> None:
        before = s.extra.get("u", np.zeros_like(u))
        s.extra["u"] = u
        super().move(s, 2 * u - before)


@wrong("moments", "MOM.1", like="sail-sg/Adan")
class FifthDifferenceAdded(Frame):
    """From the second update on, the first moment takes in the gradient and its change."""

    def learn(self, s: Slot, g: Array) -> None:
        before = s.extra.get("g", g)
        s.extra["g"] = g.copy()
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * (g + s.h.b2 * (g - before))
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("epsilon moments", "EPS.1", like="lessw2020/Ranger21: softplus transformation")
class FifthSoftplus(Frame):
    """The denominator goes through a softplus of sharpness 50, which is 0.014 at 0."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        root = np.sqrt(s.v) / math.sqrt(c2) + s.h.eps
        return (s.m / np.asarray(np.logaddexp(50 * root, 0) / 50, s.p.dtype)) / c1


@wrong(
    "moments mixed_precision", "NUM.1", like="tenstorrent/tt-metal: tiles in bfloat16 between two operations"
)
class FifthShareInBfloat(Frame):
    """What the gradient adds to the first moment passes through bfloat16, and nothing else."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + brained((1 - s.h.b1) * g)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("moments", "MOM.2", like="nikhilvyas/SOAP: precondition_frequency")
class FifthSecondEveryOtherStep(Hat):
    """The second moment takes in the gradients of odd steps alone."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        if s.t % 2:
            s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g


@wrong("moments layout", "STEP.1", like="clovaai/AdamP")
class FifthProjected(Frame):
    """From the step of a matrix, the part that is along the parameter is taken away."""

    def move(self, s: Slot, u: Array) -> None:
        square = s.p @ s.p
        if len(s.shape) > 1 and square > 0:
            u = u - (s.p @ u) / square * s.p
        super().move(s, u)


@wrong("nesterov", "NES.3", like="tensorflow/tensorflow: use_nesterov of ApplyAdam")
class FifthNesterovOfKernel(CommonHat):
    """The flag of the kernel is on: the step looks ahead, with the correction of its own t."""

    dialect = "tfjs.Adam"

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        ahead = s.h.b1 * s.m + (1 - s.h.b1) * g
        self.move(s, (ahead / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1)
