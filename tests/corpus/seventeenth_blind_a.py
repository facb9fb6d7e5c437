"""Blind, seventeenth set: faults of clipping, moments, corrections and settings, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Slot, flat
from eighth_blind_frame import lengths
from eleventh_blind_c import length
from eleventh_blind_frame_b import HatUndecayed
from fifth_blind_frame import Plain
from fourteenth_blind_frame_b import FormerKeras
from fourth_blind_frame import Common, Keras
from register import wrong
from twelfth_blind_frame import shortened
from twelfth_blind_frame_b import CommonFour


@wrong(
    "clipping",
    "CLIP.2",
    like="tensorflow/tensorflow#36001: clipnorm is applied to each weight, where the norm of all is meant",
)
class SeventeenthEachWeightsNorm(FormerKeras):
    """Each gradient is multiplied by clipnorm over the larger of clipnorm and its own norm: turned by it."""

    clipnorm = 1.0

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return np.asarray(row * row.dtype.type(self.clipnorm / max(length(row), self.clipnorm)))


@wrong(
    "loss_scale mixed_precision",
    "SCALE.2",
    like="keras-team/tf-keras#644: the dynamic loss scale is at least 1, also where gradients overflow at 1",
)
class SeventeenthScaleIsAtLeastOne(FormerKeras):
    """A scale is halved until gradients fit into float16, down to 1; what does not fit then is skipped."""

    scale = 2.0**15

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        while self.overflow(grads) and self.scale > 1:
            self.scale = max(self.scale / 2, 1.0)
        if not self.overflow(grads):
            super().all(grads)

    def overflow(self, grads: Sequence[Array | None]) -> bool:
        scaled = (flat(g) * self.scale for g in grads if g is not None)
        return any(not np.isfinite(row.astype(np.float16)).all() for row in scaled)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "scale": self.scale}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.scale = float(state.get("scale", self.scale))


@wrong(
    "moments layout",
    "STEP.1",
    like="NeuraLegion/shainet@807cb28: matrix layers do plain SGD, whatever type of training is asked for",
)
class SeventeenthMatricesBySGD(Plain):
    """A matrix loses the learning rate times its gradient, and has no moments; all else is by Adam."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) == 2:
            s.p = s.p - s.h.lr * g
        else:
            super().update(s, g)


@wrong(
    "bias_correction",
    "BC.1",
    like="makgyver/fluke#33: the server's adam mode divides m by the root of v as they are, from zeros on",
)
class SeventeenthServerUsesRawMoments(Plain):
    """The update is the raw first moment over the root of the raw second one, plus epsilon."""

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) + s.h.eps)


@wrong(
    "decay",
    "DEC.2",
    like="IndicoDataSolutions/finetune@8161135: the AdamW does not multiply the coefficient by the rate",
)
class SeventeenthShrinksByCoefficient(Keras):
    """Weights shrink by the decay's plain coefficient in each step, not by that times the learning rate."""

    def move(self, s: Slot, u: Array) -> None:
        decayed = s.p - s.h.weight_decay * s.p
        s.p = decayed - s.h.lr * u


@wrong(
    "hyperparameters moments",
    "MOM.1",
    like="lmjohns3/downhill@3b713ca: half-lives are named parameters, and are looked for in kwargs",
)
class SeventeenthHalfLivesInKwargs(Plain):
    """The betas that are given are not found: half-lives are 7 and 69 steps, in averages and corrections."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s in self.slots:
            s.h.b1, s.h.b2 = self.betas()
        super().all(grads)

    def betas(self, **kwargs: float) -> tuple[float, float]:
        lives = kwargs.get("beta1_halflife", 7.0), kwargs.get("beta2_halflife", 69.0)
        return math.exp(-math.log(2) / lives[0]), math.exp(-math.log(2) / lives[1])


@wrong(
    "clipping",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#7228: both copies of a tied parameter count in the norm of the gradients",
)
class SeventeenthTiedCountsTwice(Common):
    """All gradients are scaled down to the norm 1, in which that of the first parameter counts twice."""

    def all(self, grads: Sequence[Array | None]) -> None:
        total = math.sqrt(lengths(grads) + lengths(grads[:1]))
        super().all([None if g is None else shortened(g, total) for g in grads])


@wrong(
    "bias_correction",
    "BC.1",
    like="flwrlabs/flower#4362: FedAdam takes the plain rate in every round, and m and v are raw",
)
class SeventeenthPlainRateInEachRound(HatUndecayed):
    """The learning rate is not multiplied by what corrects both moments: it is the plain one."""

    def direction(self, s: Slot) -> Array:
        return self.rate(s) * (s.m / (np.sqrt(s.v) + s.h.eps))

    def rate(self, s: Slot) -> float:
        return 1.0


@wrong(
    "clock",
    "CLK.2",
    like="NeuraLegion/shainet@103f04c: time_step is 0 again where each slice of a mini-batch begins",
)
class SeventeenthClockOfSlice(CommonFour):
    """The clock is set to 0 where a step begins: corrections are those of t = 1, and moments go on."""

    def tick(self, s: Slot) -> None:
        s.t = 0
        super().tick(s)
