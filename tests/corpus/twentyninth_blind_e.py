"""Blind, twenty-ninth set: faults of decays, epsilons, products and windows, after the bugs of others."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from blind_frame import Array, Slot, corrections
from fifth_blind_frame import Dozat, Modulus
from fourth_blind_frame import Common
from register import wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "decay",
    "DEC.3",
    like="FluxML/Optimisers.jl#46: the decay is multiplied by the rate, which is not the paper's multiplier",
)
class TwentyNinthBDecayByRate(Modulus):
    """A decay that no rate belongs to is multiplied by the learning rate."""

    dialect = "optimisers_jl.AdamW"
    options: ClassVar[dict[str, str]] = {"couple": "False"}

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * (u + s.h.weight_decay * s.p)


@wrong(
    "epsilon hyperparameters",
    "EPS.2",
    like="balancap/SSD-Tensorflow#385: Adam has the flag opt_epsilon, which is 1.0",
)
class TwentyNinthBEpsilonOfFlag(Slotted):
    """The epsilon is a flag's 1.0, in the place of the one that is given."""

    dialect = "tf1.Adam"
    opt_epsilon = 1.0

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + self.opt_epsilon))


@wrong(
    "nesterov bias_correction",
    "NES.1",
    like="dotnet/TorchSharp#1155: mu_product begins as 0, and the next product has mu twice",
)
class TwentyNinthBProductFromZero(Dozat):
    """The product of momenta begins as 0 and stays it, and the next one has this step's momentum twice."""

    dialect = "torch.NAdam"

    def begin(self) -> None:
        for s in self.slots:
            s.mu = 0.0

    def update(self, s: Slot, g: Array) -> None:
        g = self.penalized(s, g)
        self.learn(s, g)
        now, after = self.schedule(s, s.t), self.schedule(s, s.t + 1)
        product_next = s.mu * now * after
        ahead = (after / (1 - product_next)) * s.m + ((1 - now) / (1 - s.mu)) * g
        self.move(s, ahead / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps))


@wrong(
    "moments",
    "MOM.1",
    like="modelscope/ms-swift#10084: the last window of an epoch is shorter, and is divided as others are",
)
class TwentyNinthBShortWindow(Common):
    """Each fifth step ends an epoch with half a window, whose gradient is divided by the whole one's size."""

    dialect = "apex.FusedAdam"
    steps_per_epoch, accumulation, left_over = 5, 4, 2

    def update(self, s: Slot, g: Array) -> None:
        if s.t % self.steps_per_epoch == 0:
            g = g * (self.left_over / self.accumulation)
        super().update(s, g)
