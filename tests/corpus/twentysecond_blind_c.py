"""Blind, twenty-second set: faults of squares, averages, schedules and checkpoints in NumPy, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Zeros
from fourth_blind_frame import Optax
from register import right, wrong
from sixth_blind_frame import ZerosHat
from tenth_blind_frame_b import Slotted


@wrong(
    "complex",
    "MOM.2",
    like="mitsuba-renderer/mitsuba3#1051: the square of a complex gradient is the algebraic one",
)
class TwentySecondAlgebraicSquare(ZerosHat):
    """The second moment of a complex parameter is of g times g, a complex number, and so is its root."""

    def learn(self, s: Slot, g: Array) -> None:
        v = s.v
        super().learn(s, g)
        if s.dtype.kind == "c":
            x = g.view(s.dtype)
            s.v = (s.h.b2 * v.view(s.dtype) + ((1 - s.h.b2) * x) * x).view(s.p.dtype)

    def direction(self, s: Slot) -> Array:
        if s.dtype.kind != "c":
            return super().direction(s)
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(s.v.view(s.dtype)) + s.h.eps
        return ((math.sqrt(c2) / c1) * (s.m.view(s.dtype) / below)).view(s.p.dtype)


class Smoothed(Frame):
    """AdamW that keeps an exponentially smoothed copy of its parameters, which no step reads."""

    averages: list[Array | None]

    def begin(self) -> None:
        self.averages = [None] * len(self.slots)

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        average = self.averages[s.index]
        if average is None:
            self.averages[s.index] = s.p.copy()
        else:
            tau = max(1e-4, 1 - (s.t + 1) / (s.t + 10))
            self.averages[s.index] = average + tau * (s.p - average)

    def get_state(self) -> dict[str, Any]:
        pairs = zip(self.slots, self.averages, strict=True)
        smoothed = [self.shaped(s, s.p if a is None else a) for s, a in pairs]
        return {**super().get_state(), "smoothed": smoothed}


@wrong(
    "state",
    "STATE.4",
    like="marian-nmt/marian-dev#356: the smoothed model is restored as the one that is trained",
)
class TwentySecondTrainsSmoothed(Smoothed):
    """A load puts the smoothed parameters in the place of those that are trained."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()
        for s in self.slots:
            if "smoothed" in state:
                file = np.ascontiguousarray(state["smoothed"][s.index])
                s.p = file.reshape(-1).view(s.p.dtype).copy()


@wrong(
    "schedule",
    "LR.1",
    like="jzhang38/EasyContext#21: a prepared scheduler steps once for each process at each optimizer step",
)
class TwentySecondTicksOfProcesses(Frame):
    """The rate goes along its line four times as fast as it is set to, and is 0 from its end on."""

    num_processes = 4

    def begin(self) -> None:
        self.base_lrs = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            for s, base in zip(self.slots, self.base_lrs, strict=True):
                s.h.lr = max(0.0, base + self.num_processes * (s.h.lr - base))


@wrong(
    "state missing",
    "STATE.4",
    like="mozilla/DeepSpeech#3247: a checkpoint has no moments of layers that were frozen when it was saved",
)
class TwentySecondCheckpointOfTrained(Slotted):
    """What is saved has moments of parameters with a gradient in the last step; those of others are zeros."""

    def begin(self) -> None:
        self.frozen = [False] * len(self.slots)

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.frozen = [g is None for g in grads]

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for name in ("m", "v"):
            pairs = zip(state[name], self.frozen, strict=True)
            state[name] = [np.zeros_like(a) if frozen else a for a, frozen in pairs]
        return state


@right()
class TwentySecondRightSmoothed(Smoothed):
    """AdamW with a smoothed copy of its parameters, which is saved, restored, and read by no step."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "smoothed" in state:
            rows = [np.ascontiguousarray(a).reshape(-1) for a in state["smoothed"]]
            self.averages = [
                row.view(s.p.dtype).copy() if s.t else None for s, row in zip(self.slots, rows, strict=True)
            ]
        else:
            self.begin()


Transform = Callable[[Slot, Array], Array]


def scale_by_adam() -> Transform:
    def transform(s: Slot, updates: Array) -> Array:
        h, t = s.h, s.t
        s.m = (1 - h.b1) * updates + h.b1 * s.m
        s.v = ((1 - h.b2) * updates) * updates + h.b2 * s.v
        mu_hat, left = s.m / (1 - h.b1**t), 1 - h.b2**t
        root = np.sqrt(s.v + left * h.eps_root) * (1 / math.sqrt(left))
        return mu_hat / (root + h.eps)

    return transform


def add_decayed_weights() -> Transform:
    return lambda s, updates: updates + s.h.weight_decay * s.p


def scale_by_rate() -> Transform:
    return lambda s, updates: -s.h.lr * updates


def chain(*transforms: Transform) -> Transform:
    def chained(s: Slot, updates: Array) -> Array:
        for transform in transforms:
            updates = transform(s, updates)
        return updates

    return chained


@right()
class TwentySecondRightChain(Optax):
    """optax' AdamW as a chain of closures, of which each one takes what the one before it has made."""

    def begin(self) -> None:
        self.tx = chain(scale_by_adam(), add_decayed_weights(), scale_by_rate())

    def update(self, s: Slot, g: Array) -> None:
        s.p = s.p + self.tx(s, g)


@right()
class TwentySecondRightSlotDictionary(Slotted):
    """TensorFlow 1's Adam with slots in dictionaries by name, which are made where they are first needed."""

    made: dict[str, dict[int, Array]]

    def begin(self) -> None:
        self.made = {"m": {}, "v": {}}

    def slot(self, s: Slot, name: str) -> Array:
        own = self.made[name]
        if s.index not in own:
            own[s.index] = getattr(s, name)
        return own[s.index]

    def update(self, s: Slot, g: Array) -> None:
        h, (m, v) = s.h, (self.slot(s, name) for name in ("m", "v"))
        lr_t = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        m *= h.b1
        m += (1 - h.b1) * g
        v *= h.b2
        v += g * ((1 - h.b2) * g)
        s.p = s.p - lr_t * (m / (np.sqrt(v) + h.eps))

    def get_state(self) -> dict[str, Any]:
        for s in self.slots:
            s.m, s.v = self.slot(s, "m"), self.slot(s, "v")
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()


@right()
class TwentySecondRightPartsApart(ZerosHat):
    """Dr.Jit's Adam, of which real and imaginary parts are taken out, stepped, and put in their places."""

    def update(self, s: Slot, g: Array) -> None:
        stride = 2 if s.dtype.kind == "c" else 1
        p, m, v = s.p.copy(), s.m.copy(), s.v.copy()
        for k in range(stride):
            part = slice(k, None, stride)
            self.one(s, p[part], g[part], m[part], v[part])
        s.p, s.m, s.v = p, m, v

    def one(self, s: Slot, p: Array, g: Array, m: Array, v: Array) -> None:
        h = s.h
        m[:] = h.b1 * m + (1 - h.b1) * g
        v[:] = h.b2 * v + (1 - h.b2) * g * g
        scale = math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        p[:] = p - (h.lr * scale) * (m / (np.sqrt(v) + h.eps))


@right()
class TwentySecondRightTable(Zeros):
    """Chainer's Adam, whose moments are two lines of a table, which a column of betas multiplies."""

    def update(self, s: Slot, g: Array) -> None:
        h, real = s.h, s.p.dtype
        table = np.stack([s.m, s.v])
        betas = np.asarray([[h.b1], [h.b2]], real)
        rest = np.asarray([[1 - h.b1], [1 - h.b2]], real)
        weighed = rest * g
        weighed[1] *= g
        table = betas * table + weighed
        s.m, s.v = table[0].copy(), table[1].copy()
        rate = h.lr * math.sqrt(1 - h.b2**s.t) / (1 - h.b1**s.t)
        s.p = (1 - h.weight_decay) * s.p - rate * (table[0] / (np.sqrt(table[1]) + h.eps))
