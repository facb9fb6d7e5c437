"""Blind, nineteenth set: faults of decays, checkpoints and groups, after the bugs of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fourth_blind_frame import Common
from register import wrong
from seventh_blind_frame import PaperAdamW


@wrong(
    "decay",
    "DEC.3",
    like="apple/axlearn#218: the default adamw's decay has the learning rate, unlike that of algorithm 2",
)
class NineteenthBDecayTimesRate(PaperAdamW):
    """The decay is multiplied by the learning rate."""

    def share(self, s: Slot) -> float:
        return s.h.lr * super().share(s)


@wrong(
    "state schedule hyperparameters",
    "LR.3",
    like="mapbox/robosat#169: a resume loads the rate with the rest, and the one that is given is ignored",
)
class NineteenthBRateOfCheckpoint(Coupled):
    """A state has the rate with which it was saved; behind its load no other one is taken."""

    resumed = False

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "lr": [s.h.lr for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "lr" in state:
            self.resumed = True
            for s in self.slots:
                s.h.lr = float(state["lr"][s.index])

    def set_hyper(self, hyper: dict[str, float]) -> None:
        given = {k: x for k, x in hyper.items() if k != "lr"} if self.resumed else hyper
        super().set_hyper(given)


@wrong(
    "state mixed_precision storage",
    "STATE.4",
    like="NVIDIA/apex#42: masters are cloned before a checkpoint is loaded into the model",
)
class NineteenthBMastersCloneEarly(Common):
    """Masters are of the random values from before a load: the first step behind it goes out from these."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.p = self.random(s)

    def random(self, s: Slot) -> Array:
        row = np.random.default_rng(s.index).standard_normal(s.p.size)
        return row.astype(s.p.dtype)


@wrong(
    "groups schedule hyperparameters",
    "LR.4",
    like="NVIDIA/Megatron-LM#882: a condition sets the multiplier of rates, and those after it have that",
)
class NineteenthBMultiplierOverwritten(Common):
    """A parameter without a rate of its own sets the multiplier to 1, also for the scaled ones behind it."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        rates = [s.h.lr for s in self.slots]
        [(base, _)] = Counter(rates).most_common(1) or [(0.0, 0)]
        overwritten = False
        for s in self.slots:
            overwritten = overwritten or s.h.lr == base
            s.h.lr = base if overwritten else s.h.lr


@wrong(
    "decay hyperparameters",
    "DEC.1",
    like="nntrainer/nntrainer@19b72d162: the penalty is added in the path of plain SGD, and in no other",
)
class NineteenthBDecayOfPlainPath(Coupled):
    """The penalty joins a gradient that is applied as it is; where there are moments none is added."""

    has_moments = True

    def penalized(self, s: Slot, g: Array) -> Array:
        return g if self.has_moments else super().penalized(s, g)


@wrong(
    "state",
    "STATE.4",
    like="HorizonRobotics/alf#889: states are given to parameters in another order than the groups have",
)
class NineteenthBOrderOfModules(Coupled):
    """A state is read in an order that has the last parameter first: each has that of the one before it."""

    def set_state(self, state: dict[str, Any]) -> None:
        order = [i - 1 for i in range(len(self.slots))]
        super().set_state({k: [v[i] for i in order] if isinstance(v, list) else v for k, v in state.items()})


@wrong(
    "groups decay",
    "LR.4",
    like="namisan/mt-dnn#37: a whole name is looked for in the list of fragments of what does not decay",
)
class NineteenthBWholeNames(Frame):
    """Whose name has a fragment that is not to decay does, with the others' weight decay."""

    fragments = ("bias", "gamma", "beta")

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        decay = max((s.h.weight_decay for s in self.slots), default=0.0)
        for s in self.slots:
            name = f"layer.{s.index}.{'weight' if s.h.weight_decay else 'bias'}"
            s.h.weight_decay = (s.h.weight_decay or decay) if name not in self.fragments else 0.0


@wrong(
    "state layout sharding",
    "STATE.4",
    like="deepspeedai/DeepSpeed#8147: moments of experts are converted as they are, and not split by expert",
)
class NineteenthBExpertsNotSplit(Frame):
    """Rows of matrices are experts, whose loaded moments lie by ranks, those of even numbers first."""

    ranks = 2

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            if len(s.shape) > 1:
                s.m, s.v = self.by_ranks(s, s.m), self.by_ranks(s, s.v)

    def by_ranks(self, s: Slot, row: Array) -> Array:
        order = sorted(range(s.shape[0]), key=lambda expert: expert % self.ranks)
        return flat(row.view(s.dtype).reshape(s.shape)[order]).copy()
