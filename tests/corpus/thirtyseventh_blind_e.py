"""Blind, thirty-seventh set, second half: faults of decay, fits and halves, and right ones."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Slot, corrections, flat
from fourth_blind_frame import Common, Keras
from register import right, wrong
from sixth_blind_frame import Running, Wanting
from tenth_blind_frame_b import CoupledHat, Slotted


@wrong(
    "decay",
    "DEC.1",
    like="apache/mxnet#5137: Adam takes wd from the weight behind its step, by the corrected rate",
)
class ThirtySeventhBDecayBehindStep(CoupledHat):
    """The gradient has no penalty: behind its step the weight loses the corrected rate times wd of itself."""

    dialect = "mxnet.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        return g

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        c1, c2 = corrections(s.h, s.t)
        if s.h.weight_decay > 0:
            s.p = s.p - (s.h.lr * math.sqrt(c2) / c1 * s.h.weight_decay) * s.p


@wrong(
    "sharding layout",
    "MOM.1",
    like="uw-syfi/piper#25: copies of a tied parameter step by the gradients of their own stages",
)
class ThirtySeventhBTiedCopyAlone(Common):
    """The first array is tied to one elsewhere, whose rows of the gradient, each second one, are lost."""

    dialect = "apex.FusedAdam"
    stages = 2

    def update(self, s: Slot, g: Array) -> None:
        if s.index == 0:
            rows = (s.shape or (1,))[0]
            partial = np.zeros_like(g).reshape(rows, -1) if g.size else g
            if g.size:
                partial[:: self.stages] = g.reshape(rows, -1)[:: self.stages]
            g = partial.reshape(-1)
        super().update(s, g)


@wrong(
    "state clock",
    "STATE.4",
    like="rstudio/keras3#415: two fits of 200 epochs are not one of 400",
)
class ThirtySeventhBSecondFitAtZero(Keras):
    """A second fit goes on from the moments of the first, and counts its iterations from 0."""

    dialect = "keras.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.t = 0


@wrong(
    "decay schedule",
    "DEC.2",
    like="PaddlePaddle/Paddle#30130: AdamW decays by a fixed rate where a schedule of the rate is given",
)
class ThirtySeventhBDecayAtFixedRate(Running):
    """The decay is multiplied by the rate that there was at the start, whatever the schedule says since."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        super().begin()
        for s in self.slots:
            s.extra.setdefault("rate", s.h.lr)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p * (1 - s.extra["rate"] * s.h.weight_decay)
        s.p = s.p - s.h.lr * u


@wrong(
    "storage epsilon",
    "MOM.4",
    like="gomlx/gomlx#51: the state has the model's dtype, float16, and epsilon is the same for every dtype",
)
class ThirtySeventhBStateOfModelsDtype(Coupled):
    """Moments and epsilon are rounded to float16: where v is 0 there, so is the denominator."""

    dialect = "paper"
    hyper = ("lr", "b1", "b2", "eps")

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        epsilon = float(np.float16(s.h.eps))
        s.m, s.v = (row.astype(np.float16).astype(s.p.dtype) for row in (s.m, s.v))
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + epsilon)) / c1


@wrong(
    "missing",
    "F1",
    like="keras-team/keras#6646: an optimizer of TensorFlow updates layers that are not trainable",
)
class ThirtySeventhBUntrainableUpdated(Slotted):
    """What is not to be trained is a variable too: without a gradient it is moved as by one of 0."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        every = [np.zeros_like(self.shaped(s, s.p)) if g is None else g for s, g in
                 zip(self.slots, grads, strict=True)]  # fmt: skip
        super().all(every)


@right()
class ThirtySeventhBRightTimeOfElement(Coupled):
    """Adam whose time is an array: each element has its own, as have its moments, and is corrected by it."""

    dialect = "burn.Adam"

    def begin(self) -> None:
        self.times = [np.full(s.p.shape, s.t, np.int64) for s in self.slots]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.begin()

    def direction(self, s: Slot) -> Array:
        time = self.times[s.index]
        time += 1
        c1 = -np.expm1(time * math.log(s.h.b1)) if s.h.b1 else np.ones(time.shape)
        c2 = -np.expm1(time * math.log(s.h.b2)) if s.h.b2 else np.ones(time.shape)
        below = np.sqrt(s.v) / np.sqrt(c2).astype(s.p.dtype) + s.h.eps
        return s.m / below / c1.astype(s.p.dtype)


@right()
class ThirtySeventhBRightBuffersKept(Wanting):
    """warp's Adam: set_params is called in each step, and keeps the buffers whose shapes and dtypes fit."""

    dialect = "warp.Adam"

    def set_params(self) -> None:
        for s in self.slots:
            for name in ("m", "v"):
                buffer = getattr(s, name)
                if buffer.shape != s.p.shape or buffer.dtype != s.p.dtype:
                    setattr(s, name, np.zeros_like(s.p))

    def all(self, grads: Sequence[Array | None]) -> None:
        self.set_params()
        super().all(grads)

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        s.m[:] = h.b1 * s.m + (1 - h.b1) * g
        s.v[:] = h.b2 * s.v + (1 - h.b2) * g * g
        s.p = s.p - (h.lr / c1) * (s.m / (np.sqrt(s.v) / math.sqrt(c2) + h.eps))


@right()
class ThirtySeventhBRightStandardRows(CoupledHat):
    """MXNet's Adam row by row, each of them stored or not; its state is pairs of mean and var, and counts."""

    dialect = "mxnet.Adam"

    def get_state(self) -> dict[str, Any]:
        pairs = {s.index: (self.shaped(s, s.m), self.shaped(s, s.v)) for s in self.slots}
        return {"states": pairs, "_index_update_count": {s.index: s.t for s in self.slots}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "states" not in state:
            super().set_state(state)
            return
        for s in self.slots:
            mean, var = state["states"][s.index]
            s.m, s.v = flat(mean).copy(), flat(var).copy()
            s.t = state["_index_update_count"][s.index]

    def update(self, s: Slot, g: Array) -> None:
        rows = (s.shape or (1,))[0]
        if not g.size:
            return
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        p, m, v, d = (a.reshape(rows, -1).copy() for a in (s.p, s.m, s.v, g))
        for i in range(rows):
            grad = d[i] + h.weight_decay * p[i]
            m[i] = h.b1 * m[i] + (1 - h.b1) * grad
            v[i] = h.b2 * v[i] + ((1 - h.b2) * grad) * grad
            p[i] -= (h.lr * math.sqrt(c2) / c1) * (m[i] / (np.sqrt(v[i]) + h.eps))
        s.p, s.m, s.v = (a.reshape(-1) for a in (p, m, v))


@right()
class ThirtySeventhBRightClonedState(Coupled):
    """Adam in place, with one buffer for the denominator; a state that is loaded is cloned first."""

    dialect = "torch.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        cloned = copy.deepcopy(state)
        super().set_state(cloned)

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        grad = g + s.p * h.weight_decay if h.weight_decay else g
        s.m += (grad - s.m) * (1 - h.b1)
        s.v *= h.b2
        s.v += (grad * (1 - h.b2)) * grad
        denominator = np.empty_like(s.v)
        np.sqrt(s.v, out=denominator)
        denominator /= math.sqrt(c2)
        denominator += h.eps
        np.divide(s.m, denominator, out=denominator)
        denominator *= h.lr / c1
        s.p -= denominator


@right()
class ThirtySeventhBRightPowersAsArrays(Running):
    """Paddle's AdamW whose powers are arrays of one float64, which no transform touches, in its state too."""

    dialect = "paddle.AdamW"

    def powers(self, s: Slot) -> dict[str, Any]:
        return {"power1": np.array([s.h.b1**s.t]), "power2": np.array([s.h.b2**s.t])}

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.extra = {k: s.extra[k] * b for k, b in (("power1", s.h.b1), ("power2", s.h.b2))}

    def update(self, s: Slot, g: Array) -> None:
        h, c1, c2 = s.h, float(1 - s.extra["power1"][0]), float(1 - s.extra["power2"][0])
        s.p = s.p * (1 - h.lr * h.weight_decay)
        s.m = s.m * h.b1 + g * (1 - h.b1)
        s.v = s.v * h.b2 + (g * (1 - h.b2)) * g
        s.p = s.p - h.lr / c1 * (s.m / (np.sqrt(s.v) / math.sqrt(c2) + h.eps))
