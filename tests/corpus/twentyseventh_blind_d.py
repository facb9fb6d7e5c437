"""Blind, twenty-seventh set: faults of decays, averages, corrections and epochs, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import FOUR, Common, Keras, Uncorrected
from register import wrong


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="broadinstitute/permutect#104: Adam runs without any weight decay",
)
class TwentySeventhBDecayNotHandedOn(Frame):
    """The weight decay is taken and handed on to nobody: nothing decays."""

    dialect = "torch.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "nesterov bias_correction",
    "NES.3",
    like="kozistr/pytorch_optimizer#77: the second term of the update lacks the division by its correction",
)
class TwentySeventhBTermUncorrected(Frame):
    """The gradient's term of the look-ahead is not divided by the correction that the momentum's has."""

    dialect = "timm.NAdamW"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        ahead = (s.h.b1 / c1) * s.m + (1 - s.h.b1) * s.extra["g"]
        return ahead / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)

    def update(self, s: Slot, g: Array) -> None:
        s.extra["g"] = g
        super().update(s, g)
        del s.extra["g"]


@wrong(
    "state",
    "STATE.1",
    like="keras-team/keras-core#437: with use_ema nobody creates the averages, and an update breaks on them",
)
class TwentySeventhBAveragesNotCreated(Keras):
    """Averages of the variables are kept beside them, from the second update on, and were never created."""

    dialect = "keras.AdamW"
    ema_momentum = 0.99

    def begin(self) -> None:
        self.averages: list[Array] = []  # built by the backend's wrapper, which has no such thing

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            if s.t > 1:
                average = self.averages[s.index]
                average += (1 - self.ema_momentum) * (s.p - average)


@wrong(
    "coefficients",
    "NUM.4",
    like="deepspeedai/DeepSpeed#7982: calls of one step go by the product or by pow, each after its place",
)
class TwentySeventhBProductOrPower(Frame):
    """The first array of a step has the powers of betas as a product of floats, and the others by pow."""

    dialect = "torch.AdamW"

    def begin(self) -> None:
        self.count = 0
        self.betas, self.powers = (0.0, 0.0), (1.0, 1.0)

    def increment(self, step: int, betas: tuple[float, float]) -> None:
        self.count += 1
        if betas == self.betas and self.count == step:
            pairs = zip(self.powers, betas, strict=True)
            first, second = (float(np.float32(power) * np.float32(b)) for power, b in pairs)
            self.powers = first, second
        else:
            self.count, self.betas = step, betas
            self.powers = betas[0] ** step, betas[1] ** step

    def direction(self, s: Slot) -> Array:
        self.increment(s.t, (s.h.b1, s.h.b2))
        c1, c2 = (1 - power for power in self.powers)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "groups decay",
    "LR.4",
    like="keras-team/keras#21885: variables that Adam updates share the weight decay of Muon's matrices",
)
class TwentySeventhBDecayOfMatrices(Keras):
    """Variables that are no matrices decay with the weight decay of the first matrix, not with their own."""

    dialect = "keras.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        shared = next((o.h for o in self.slots if len(o.shape) > 1), s.h)
        decay = s.h.weight_decay if len(s.shape) > 1 else shared.weight_decay
        s.p = s.p - s.h.lr * decay * s.p - s.h.lr * u


@wrong(
    "bias_correction",
    "BC.1",
    like="stockeh/mlx-optimizers#36: the step is formed of the moments, the corrected ones are left out",
)
class TwentySeventhBCorrectedLeftOut(Uncorrected, Common):
    """Corrections are asked for, and the step is formed of the moments as they are."""

    dialect = "mlx.Adam"
    options = {"bias_correction": "True"}  # noqa: RUF012
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "moments",
    "MOM.1",
    like="parasdahal/deepnet#13: velocity and cache are zeroed at the beginning of every epoch",
)
class TwentySeventhBMomentsOfAnEpoch(Plain):
    """Both moments are 0 again at the beginning of each epoch of five steps; the clock goes on."""

    minibatches = 5

    def learn(self, s: Slot, g: Array) -> None:
        if (s.t - 1) % self.minibatches == 0:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
        super().learn(s, g)


@wrong(
    "decay layout",
    "DEC.2",
    like="clab/dynet#424: a loop over the wrong list, so the decay is not folded back into the embeddings",
)
class TwentySeventhBDecayNotFoldedBack(Frame):
    """Decay gathers in a factor; where that is below 1/4, arrays of two axes and more are divided by it."""

    dialect = "torch.AdamW"
    least = 0.25  # of the factor, beyond which it goes into what is stored, and is 1 again

    def begin(self) -> None:
        for s in self.slots:
            s.extra["factor"] = 1.0

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        factor = s.extra["factor"] * (1 - s.h.lr * s.h.weight_decay)
        if abs(factor) < self.least:
            if len(s.shape) > 1 and factor:  # what is stored is not rescaled, as the loop passes it by
                s.p = s.p / factor
            factor = 1.0
        s.extra["factor"] = factor
