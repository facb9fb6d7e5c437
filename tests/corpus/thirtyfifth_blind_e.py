"""Blind, thirty-fifth set, second half: faults of wrappers, ties and trainers, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from blind_frame import Array, Slot, corrections
from eighth_blind_frame import Relative
from fifth_blind_frame import Modulus, Plain
from ninth_blind_frame_b import Single
from register import right, wrong
from sixth_blind_frame import Unscaled
from tenth_blind_frame import ModulusPlain
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame_b import begun


@wrong(
    "moments",
    "STEP.1",
    like="tensorflow/addons#760: MovingAverage returns the op of its averages, and weights are not updated",
)
class ThirtyFifthBAverageAlone(Unscaled):
    """What a step runs are the averages of weights; the step of the optimizer in it is made and not run."""

    average_decay = 0.99

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            average = s.extra.get("average", s.p)
            s.extra["average"] = self.average_decay * average + (1 - self.average_decay) * s.p


@wrong(
    "state",
    "STATE.4",
    like="FluxML/MLJFlux.jl#86: a warm restart sets up the optimiser's state anew",
)
class ThirtyFifthBWarmRestart(ModulusPlain):
    """A restart goes on with the weights, and sets up moments and clocks as they were before any step."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            begun(s)


@wrong(
    "moments layout",
    "STEP.1",
    like="FluxML/Optimisers.jl#42: each occurrence of tied weights is updated, with a state of its own",
)
class ThirtyFifthBTiedTwice(Modulus):
    """The first array is tied: each of its two places has half the gradient, a state, and a step for it."""

    dialect = "optimisers_jl.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        if s.index:
            super().update(s, g)
            return
        m, v = (np.asarray(s.extra.get(name, np.zeros_like(s.p))) for name in ("m", "v"))
        super().update(s, g / 2)
        other = replace(s, m=m, v=v)
        super().update(other, g / 2)
        s.p, s.extra = other.p, {"m": other.m, "v": other.v}


@wrong(
    "state clock",
    "STATE.4",
    like="apache/mxnet#7494: save_states has the first updater, and not the optimizer with its counts",
)
class ThirtyFifthBUpdaterWithoutOptimizer(CoupledHat):
    """A save has the mean and the variance of an updater; counts are the optimizer's, which is not saved."""

    dialect = "mxnet.Adam"

    def get_state(self) -> dict[str, Any]:
        return {"updater": {s.index: (self.shaped(s, s.m), self.shaped(s, s.v)) for s in self.slots}}

    def set_state(self, state: dict[str, Any]) -> None:
        if "updater" in state:
            pairs = [state["updater"][s.index] for s in self.slots]
            state = {"m": [mean for mean, _ in pairs], "v": [var for _, var in pairs]}
            state["t"] = [s.t for s in self.slots]
        super().set_state(state)


@wrong(
    "sharding moments",
    "MOM.1",
    like="ooples/AiDotNet#1877: what is no gradient optimizer is taken, and is never synchronised",
)
class ThirtyFifthBNotAGradientOptimizer(Plain):
    """Gradients are averaged for another class alone: a rank has those of its samples, half the elements."""

    ranks = 2

    def update(self, s: Slot, g: Array) -> None:
        if not hasattr(self, "apply_gradients"):  # that of a gradient optimizer
            mine = (np.arange(g.size) + s.t) % self.ranks == 0
            g = np.where(mine, g * self.ranks, np.zeros_like(g))
        super().update(s, g)


@right()
class ThirtyFifthBRightHookKnowsScale(CoupledHat):
    """MXNet's Adam whose penalty is multiplied by the scale that the gradient still has."""

    dialect = "mxnet.Adam"
    loss_scale = 2.0**7

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        scaled = g * self.loss_scale
        scaled += (h.weight_decay * self.loss_scale) * s.p
        grad = scaled / self.loss_scale
        s.m += (1 - h.b1) * (grad - s.m)
        s.v *= h.b2
        s.v += ((1 - h.b2) * grad) * grad
        c1, c2 = corrections(h, s.t)
        s.p = s.p - (h.lr * math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + h.eps))


@right()
class ThirtyFifthBRightEtaInBoth(Relative):
    """AdamW whose multiplier eta is in the step and in the decay, which are one sum."""

    dialect = "flashoptim.FlashAdamW"

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        eta = h.lr / h.lr_max if h.lr_max else 0.0
        s.m = s.m * h.b1 + g * (1 - h.b1)
        s.v = s.v * h.b2 + (g * (1 - h.b2)) * g
        c1, c2 = corrections(h, s.t)
        below = np.sqrt(s.v) * (1 / math.sqrt(c2)) + h.eps
        s.p = s.p - ((s.m / below) * (h.lr / c1) + (eta * h.weight_decay) * s.p)


@right()
class ThirtyFifthBRightCarriedOver(ModulusPlain):
    """Optimisers.jl' Adam whose state is a list of leaves, which a warm restart takes over as it is."""

    def get_state(self) -> dict[str, Any]:
        leaves = [(self.shaped(s, s.m), self.shaped(s, s.v), s.t) for s in self.slots]
        return {"tree": leaves, "rule": "Adam"}

    def set_state(self, state: dict[str, Any]) -> None:
        if "tree" in state:
            mt, vt, t = (list(column) for column in zip(*state["tree"], strict=True))
            state = {"t": [int(x) for x in t], "m": mt, "v": vt}
        super().set_state(state)

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.m + (1 - s.h.b1) * (g - s.m)
        s.v = s.v * s.h.b2 + self.square(s, g)

    def move(self, s: Slot, u: Array) -> None:
        s.p -= (s.h.lr * u).astype(s.p.dtype)


@right()
class ThirtyFifthBRightWorkspace(Single):
    """candle's AdamW in place, with one workspace for each array, and functions that write to it."""

    dialect = "candle.AdamW"

    def build(self) -> None:
        self.step_t = 0
        arrays = self.params, self.zeros(), self.zeros()
        self.vars = [(p, m, v, np.empty_like(p)) for p, m, v in zip(*arrays, strict=True)]

    def all(self, grads: Sequence[Array | None]) -> None:
        self.step_t += 1
        c1, c2 = self.corrections(self.step_t)
        for (theta, m, v, work), g in zip(self.vars, grads, strict=True):
            if g is None:
                continue
            np.multiply(g, 1 - self.b2, out=work)
            work *= g
            v *= self.b2
            v += work
            m *= self.b1
            np.multiply(g, 1 - self.b1, out=work)
            m += work
            np.sqrt(v, out=work)
            work /= math.sqrt(c2)
            work += self.eps
            np.divide(m, work, out=work)
            work *= self.lr / c1
            theta *= 1 - self.lr * self.weight_decay
            theta -= work

    def get_state(self) -> dict[str, Any]:
        first, second = ([row[k] for row in self.vars] for k in (1, 2))
        return {"t": self.step_t, "m": self.together(first), "v": self.together(second)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.step_t = max(self.clocks(state), default=0)
        moments = zip(self.taken(state["m"]), self.taken(state["v"]), strict=True)
        for (_, m, v, _), (first, second) in zip(self.vars, moments, strict=True):
            m[...], v[...] = first, second
