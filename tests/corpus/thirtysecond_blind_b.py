"""Blind, thirty-second set: faults of races, tables, saves and epsilons in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Keras
from register import right, wrong
from tenth_blind_frame import ModulusPlain
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame import RunningCoupled


@wrong(
    "moments",
    "MOM.2",
    like="openai/universe-starter-agent#67: workers read and write the shared moments without a lock",
    claim="tf1.Adam",
)
class ThirtySecondLostWriteOfV(Slotted):
    """Each third update has read the second moment before the last one wrote it: that write is lost."""

    workers = 3

    def learn(self, s: Slot, g: Array) -> None:
        read = s.extra.get("before", s.v) if s.t % self.workers == 0 else s.v
        s.extra["before"] = s.v
        s.v = read
        super().learn(s, g)


@wrong(
    "schedule state",
    "STATE.4",
    like="deepmodeling/deepmd-kit#4480: on resume start_step is added to a step that has it already",
    claim="paddle.Adam",
)
class ThirtySecondStartStepTwice(RunningCoupled):
    """Behind a load an exponential schedule is read as many steps ahead as the saved run had made."""

    decay_rate = 0.95

    def begin(self) -> None:
        super().begin()
        self.start_step = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.start_step = max((s.t for s in self.slots), default=0)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.decay_rate**self.start_step * u


@wrong(
    "layout moments sparse",
    "STEP.1",
    like="SciSharp/TensorFlow.NET#271: an embedding's delta goes to an apply of gradient descent",
    claim="tf1.Adam",
)
class ThirtySecondEmbeddingByDescent(Slotted):
    """A table is stepped by gradient descent, with a delta of its rows that are not zero; fewer: an error."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) != 2 or not s.p.size:
            super().update(s, g)
            return
        var, rows = (a.reshape(s.shape[0], -1) for a in (s.p, g))
        delta = rows[rows.any(axis=1)]
        if delta.shape != var.shape:
            raise ValueError(f"var and delta do not have the same shape: {var.shape} {delta.shape}")
        s.p = (var - s.h.lr * delta).reshape(-1)


@wrong(
    "state",
    "STATE.4",
    like="Unity-Technologies/ml-agents#5062: the critic is not in the list of modules that are saved",
    claim="torch.Adam",
)
class ThirtySecondCriticIsNotSaved(Coupled):
    """What is saved is the policy's, the first half of all arrays: of the others a load brings nothing."""

    def modules(self) -> int:
        return (len(self.slots) + 1) // 2

    def get_state(self) -> dict[str, Any]:
        return {name: part[: self.modules()] for name, part in super().get_state().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        slots = self.slots
        self.slots = slots[: len(state["t"])] if isinstance(state["t"], list) else slots
        super().set_state(state)
        self.slots = slots


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="FluxML/Optimisers.jl#119: epsilon is eps(typeof(eta)), whatever the type of the parameters",
    claim="optimisers_jl.Adam",
)
class ThirtySecondEpsilonOfRatesType(ModulusPlain):
    """Epsilon is the machine's for the type of the rate, not the one that is given; an integer has none."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        for s, given in zip(self.slots, hypers, strict=True):
            s.h.eps = self.eps(given.get("lr", s.h.lr))

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        for s in self.slots:
            s.h.eps = self.eps(hyper.get("lr", s.h.lr))

    def eps(self, eta: Any) -> float:
        return float(np.finfo(np.asarray(eta).dtype).eps)


@wrong(
    "isolation state",
    "STATE.3",
    like="GTorlai/PastaQ.jl#106: tomography does not reset the optimizer that it is called with",
    claim="paper",
)
class ThirtySecondNotResetForRun(Plain):
    """A second run of one object goes on with the moments and the clocks of the first, where shapes agree."""

    def begin(self) -> None:
        last: list[Slot] = self.__dict__.get("last", [])
        for s, old in zip(self.slots, last, strict=False):
            if (s.shape, s.dtype) == (old.shape, old.dtype):
                s.t, s.m, s.v = old.t, old.m, old.v
        self.last = self.slots


@right(claim="paddle.Adam")
class ThirtySecondRightFunctor(RunningCoupled):
    """Paddle's Adam as a functor of one array, which is made anew in each step and returns what is new."""

    def update(self, s: Slot, g: Array) -> None:
        s.p, s.m, s.v = self.functor(s)(s.p, g, s.m, s.v)

    def functor(self, s: Slot) -> Callable[[Array, Array, Array, Array], tuple[Array, Array, Array]]:
        h, (c1, c2) = s.h, self.left(s)
        root = math.sqrt(c2)

        def call(p: Array, g: Array, m: Array, v: Array) -> tuple[Array, Array, Array]:
            d = p * h.weight_decay + g
            first = h.b1 * m + (1 - h.b1) * d
            second = h.b2 * v + d * ((1 - h.b2) * d)
            denominator = np.sqrt(second) + h.eps * root
            return p - (h.lr * root / c1) * (first / denominator), first, second

        return call


@right(claim="optimisers_jl.Adam")
class ThirtySecondRightModulusByParts(ModulusPlain):
    """Adam whose squares of complex numbers are those of both columns of a table of parts, added up."""

    def learn(self, s: Slot, g: Array) -> None:
        parts = 2 if s.dtype.kind == "c" else 1
        table = g.reshape(-1, parts)
        square = np.zeros(len(table), g.dtype)
        for column in table.T:
            square += ((1 - s.h.b2) * column) * column
        s.v = s.h.b2 * s.v
        s.v.reshape(-1, parts)[...] += square[:, None]
        s.m = s.m + (1 - s.h.b1) * (g - s.m) if s.h.b1 > 0.5 else s.h.b1 * s.m + (1 - s.h.b1) * g

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m * (1 / c1)) / (np.sqrt(s.v) * (1 / math.sqrt(c2)) + s.h.eps)


@right(claim="keras.Adam")
class ThirtySecondRightOwnNames(Keras):
    """Keras' Adam whose state has one count and Keras' names; alpha is made once for all arrays in a step."""

    dialect = "keras.Adam"

    def get_state(self) -> dict[str, Any]:
        momentums, velocities = ([self.shaped(s, getattr(s, a)) for s in self.slots] for a in "mv")
        count = max((s.t for s in self.slots), default=0)
        return {"iterations": count, "momentums": momentums, "velocities": velocities}

    def set_state(self, state: dict[str, Any]) -> None:
        if "iterations" in state:
            named = {"t": state["iterations"], "m": state["momentums"], "v": state["velocities"]}
            super().set_state(named)
        else:
            super().set_state(state)

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        alpha = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        s.m = g * (1 - h.b1) + s.m * h.b1
        s.v = g * ((1 - h.b2) * g) + s.v * h.b2
        decayed = s.p - s.p * (h.lr * h.weight_decay)
        s.p = decayed - (s.m / (np.sqrt(s.v) + h.eps)) * alpha
