"""Blind, twenty-second set: faults of rates, sums, loads and types in NumPy, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import FIVE, Array, Slot
from fifth_blind_frame import Plain
from fourteenth_blind_frame_b import FormerKeras
from register import wrong
from tenth_blind_frame import ModulusPlain
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame_b import Legacy


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="tensorflow/tensorflow#31287: a rate that is assigned before the first update misses its variable",
)
class TwentySecondRateOfLazyVariable(Legacy):
    """The first update makes the rate's variable, of the constructor's value: what was set before is lost."""

    created = False

    def begin(self) -> None:
        self.created = False

    def set_hyper(self, hyper: dict[str, float]) -> None:
        assigned = {k: v for k, v in hyper.items() if k != "lr" or self.created}
        super().set_hyper(assigned)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.created = True

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        self.created = True
        super().all(grads)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="apache/mxnet#16686: what the request 'add' sums is other than one by hand, more so for more steps",
)
class TwentySecondSumInPlace(CoupledHat):
    """Sixteen parts are added up in place, and after each eighth one the sum so far is added to itself."""

    update_on, inplace_cap = 16, 8

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        part = row / row.dtype.type(self.update_on)
        grad = np.zeros_like(row)
        for i in range(1, self.update_on + 1):
            grad += part
            if i % self.inplace_cap == 0:
                grad += grad
        return grad


@wrong(
    "layout moments",
    "STEP.1",
    like="Open-Deep-ML/DML-OpenProblem#269: the gradient is one number, a sum over the elements of X",
)
class TwentySecondGradientIsSum(Plain):
    """Each element of an array has one and the same gradient: the sum of all of them."""

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return np.full_like(row, row.sum())


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#42749: a loaded model's optimizer has its iterations, and no slot variables",
)
class TwentySecondSlotsNotRestored(FormerKeras):
    """A load takes the iterations alone: both moments of each parameter are zeros."""

    def set_state(self, state: dict[str, Any]) -> None:
        slot_names = [name for name, _ in self.kept()]
        super().set_state({k: v for k, v in state.items() if k not in slot_names})
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.p), np.zeros_like(s.p)


@wrong(
    "hyperparameters coefficients mixed_precision",
    "NUM.4",
    like="FluxML/Optimisers.jl#151: the type of all hyperparameters is eta's, and not the array's",
)
class TwentySecondTypeOfEta(ModulusPlain):
    """All hyperparameters, and 1-b and 1-b**t with them, are float32 as eta is, for arrays of float64 too."""

    eta_type = np.float32

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        for s in self.slots:
            self.convert(s)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for s in self.slots:
            self.convert(s)

    def convert(self, s: Slot) -> None:
        for name in FIVE:
            setattr(s.h, name, self.eta_type(getattr(s.h, name)))
