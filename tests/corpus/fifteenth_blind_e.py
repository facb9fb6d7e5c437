"""Blind, fifteenth set: faults of settings, groups, decay and steps, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from eighth_blind_frame import Relative
from fifth_blind_frame import Plain
from fourth_blind_frame import FOUR, Common, Keras
from register import wrong


@wrong(
    "hyperparameters",
    "MOM.2",
    like="dotnet/TorchSharp#952: beta2 is 0.99 by default, where PyTorch has 0.999",
)
class FifteenthBOtherBeta2(Coupled):
    """Who gives no beta2 has 0.99, and not 0.999."""

    hyper = ("lr", "b1", "eps", "weight_decay")

    def begin(self) -> None:
        for s in self.slots:
            s.h.b2 = 0.99


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="google-deepmind/open_spiel#1339: epsilon is written 10e-8, which is 1e-7",
)
class FifteenthBTenEpsilons(Plain):
    """Epsilon is no argument, and is written as 10e-8 where 1e-8 is meant."""

    hyper = FOUR[:3]

    def begin(self) -> None:
        for s in self.slots:
            s.h.eps = 10e-8


@wrong(
    "mixed_precision",
    "NUM.1",
    like="NVIDIA/apex#139: the update is float32, and there are no parameters but those of float16",
)
class FifteenthBNoMasterWeights(Common):
    """An update is formed in full precision, and the parameter that it is taken from is stored as float16."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        s.p = s.p.astype(np.float16).astype(s.p.dtype)


@wrong(
    "groups",
    "LR.4",
    like="huggingface/transformers#4360: layer_norm is excluded, and the variables are named LayerNorm",
)
class FifteenthBExclusionMatchesNothing(Keras):
    """What is to have no decay is found by a name that no variable has: it decays as the others do."""

    dialect = "transformers4.AdamWeightDecay"
    excluded: ClassVar[tuple[str, ...]] = ("layer_norm", "bias")

    def begin(self) -> None:
        self.names = ["dense/kernel" if s.h.weight_decay else "LayerNorm/gamma" for s in self.slots]

    def rate(self, s: Slot) -> float:
        if any(word in self.names[s.index] for word in self.excluded):
            return 0.0
        return s.h.weight_decay or max(x.h.weight_decay for x in self.slots)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.rate(s) * s.p - s.h.lr * u


@wrong(
    "groups",
    "LR.4",
    like="NVIDIA-NeMo/Speech#12123: lr_mult and wd_mult of a group are multiplied by nobody",
)
class FifteenthBMultipliersUnused(Common):
    """Groups are kept as multiples of the first one's rate and decay, and stepped without the multiples."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        scaled = ("lr", "weight_decay")
        base = {name: hypers[0][name] for name in scaled if name in hypers[0]} if hypers else {}
        self.multiples = [{name: (h.get(name, x), x) for name, x in base.items()} for h in hypers]
        super().init_groups(params, [{**h, **base} for h in hypers])


@wrong(
    "bias_correction",
    "BC.3",
    like="a question on Stack Overflow (gptteams.ai): m = m / (1 - beta ** i), and v likewise",
)
class FifteenthBCorrectedInPlace(Plain):
    """The corrected moments are written over the moments, which the next step corrects once more."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.m = s.m / c1
        s.v = s.v / c2
        return np.asarray(s.m / (np.sqrt(s.v) + s.h.eps))


@wrong(
    "schedule",
    "LR.3",
    like="gbaydin/hypergradient-descent#9: the rate is updated inside the loop over the parameters",
)
class FifteenthBRateUpdatedInLoop(Coupled):
    """A new rate comes about in a step: each parameter adds its share, and moves by what there is."""

    def all(self, grads: Sequence[Array | None]) -> None:
        aims = [s.h.lr for s in self.slots]
        for i, s in enumerate(self.slots):
            before = float(s.extra.get("rate", s.h.lr))
            if before != s.h.lr:
                s.h.lr = before + (s.h.lr - before) * (i + 1) / len(self.slots)
        super().all(grads)
        for s, aim in zip(self.slots, aims, strict=True):
            s.h.lr = s.extra["rate"] = aim


@wrong(
    "decay schedule",
    "DEC.7",
    like="deeplearning4j/deeplearning4j#5843: x -= w * x, without learning rate and without multiplier",
)
class FifteenthBDecayOutsideSchedule(Relative):
    """The decay is not multiplied by what the schedule makes of the rate, and stays while that falls."""

    def fraction(self, s: Slot) -> float:
        return 1.0


@wrong(
    "decay",
    "DEC.2",
    like="keras-team/keras#10611: what decays with Adam is a penalty in the loss",
)
class FifteenthBPenaltyInLoss(Keras):
    """The decay is the gradient of an L2 penalty, and is divided by the root as all of the gradient is."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u
