"""Blind, twentieth set: faults of accumulation, powers, attributes and resumes, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Refusing
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import WantingHat
from tenth_blind_frame_b import Slotted


@wrong(
    "moments",
    "MOM.1",
    like="tensorflow/tensor2tensor#923: with eight accumulated steps the loss is above 500, not below 10",
)
class TwentiethBAccumulatorKept(Slotted):
    """Gradients of eight passes are added to a sum that is never emptied: those of all steps stay in it."""

    passes = 8

    def update(self, s: Slot, g: Array) -> None:
        total = s.extra.get("grad_acc", np.zeros_like(g))
        for _ in range(self.passes):
            total = total + g
        s.extra["grad_acc"] = total
        super().update(s, total / s.p.dtype.type(self.passes))


@wrong(
    "bias_correction clock",
    "BC.1",
    like="deepspeedai/DeepSpeed#5777: powers that the operator multiplies once more are those of this step",
)
class TwentiethBPowersOfNextStep(Holding):
    """Corrections have the powers of the step after: 1-b**(t+1)."""

    def direction(self, s: Slot) -> Array:
        power1, power2 = s.h.b1**s.t, s.h.b2**s.t
        c1, c2 = 1 - power1 * s.h.b1, 1 - power2 * s.h.b2
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "bias_correction clock",
    "BC.1",
    like="PaddlePaddle/Paddle#41641: beta1_pow and beta2_pow are copied to another place before the kernel",
)
class TwentiethBPowersOfCopy(Coupled):
    """A step multiplies copies of the powers, and those of the state stay at the first step's."""

    dialect = "paddle.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.extra = {"beta1_pow": s.h.b1 ** (s.t + 1), "beta2_pow": s.h.b2 ** (s.t + 1)}

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if {"b1", "b2"} & hyper.keys():
            raise NotImplementedError("the powers belong to their betas")
        super().set_hyper(hyper)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "extra" not in state:
            self.begin()

    def tick(self, s: Slot) -> None:
        """The clock is in the powers."""

    def direction(self, s: Slot) -> Array:
        pows = self.transformed(s.extra)
        c1, c2 = 1 - pows["beta1_pow"], 1 - pows["beta2_pow"]
        pows["beta1_pow"] *= s.h.b1
        pows["beta2_pow"] *= s.h.b2
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1

    def transformed(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return dict(inputs)


@wrong(
    "groups decay",
    "LR.4",
    like="PaddlePaddle/Paddle#36745: the attributes that the dygraph AdamW hands to its kernel are wrong",
)
class TwentiethBCoefficientWithoutSwitch(Frame):
    """The kernel is given the optimizer's coefficient, and not whether a parameter decays: all do by it."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        self.coeff = max((s.h.weight_decay for s in self.slots), default=0.0)

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        self.coeff = float(hyper.get("weight_decay", self.coeff))

    def move(self, s: Slot, u: Array) -> None:
        self.kernel(s, u, attrs={"coeff": self.coeff})

    def kernel(self, s: Slot, u: Array, attrs: dict[str, float]) -> None:
        if attrs.get("with_decay", True):
            s.p = s.p - s.h.lr * attrs["coeff"] * s.p
        s.p = s.p - s.h.lr * u


@wrong(
    "state storage",
    "STATE.4",
    like="karpathy/llm.c#702: weights are resumed without the seed by which masters were rounded to them",
)
class TwentiethBSeedNotSaved(Refusing):
    """Weights are wider masters, rounded at random; masters are saved, and what the rounding drew is not."""

    dialect = "llm.c.AdamW"
    seed = 1337

    def begin(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.masters = [self.wide(s) for s in self.slots]

    def wide(self, s: Slot) -> Array:
        return s.p.astype(np.float64 if s.p.dtype == np.float32 else np.longdouble)

    def move(self, s: Slot, u: Array) -> None:
        master = self.masters[s.index]
        master = master - s.h.lr * s.h.weight_decay * master - s.h.lr * u.astype(master.dtype)
        self.masters[s.index], s.p = master, self.rounded(master, s.p.dtype)

    def rounded(self, master: Array, dtype: np.dtype[Any]) -> Array:
        near = master.astype(dtype)
        below = np.where(near > master, np.nextafter(near, dtype.type(-np.inf)), near)
        above = np.nextafter(below, dtype.type(np.inf))
        share = (master - below) / (above.astype(master.dtype) - below)
        return np.where(self.rng.random(master.size) < share, above, below)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "master": [master.copy() for master in self.masters]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        saved = state.get("master")
        self.masters = [self.wide(s) if saved is None else saved[s.index].copy() for s in self.slots]


@wrong(
    "state clock",
    "STATE.4",
    like="scikit-learn/scikit-learn#12605: a fit with warm_start ends with its first iteration",
)
class TwentiethBWarmStartEnds(WantingHat):
    """A run that goes on from a state makes one update, and takes itself for converged from then on."""

    dialect = "sklearn.Adam"
    warm_start, iterations = False, 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.warm_start, self.iterations = True, 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if self.warm_start and self.iterations > 0:
            return
        self.iterations += 1
        super().all(grads)
