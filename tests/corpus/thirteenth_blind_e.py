"""Blind, thirteenth set: faults of absence, zeros, rates, isolation and memory, after the bugs of others."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Frame, Slot
from eleventh_blind_frame_b import adopted
from fifth_blind_frame import CorrectedRate, Refusing
from fourth_blind_frame import Common, Hat, Nadam
from register import wrong
from sixth_blind_frame import CoupledHat, Wanting
from tenth_blind_frame_b import Undecayed
from tenth_blind_frame_b import Wanting as Demanding


class Configuration:
    """Settings, with the count of the iterations that were made by them."""

    iterations = 0


Known = weakref.WeakValueDictionary[tuple[Any, ...], Configuration]


@wrong(
    "isolation",
    "STATE.3",
    like="deeplearning4j/deeplearning4j#3584: two models of one configuration share its iteration count",
)
class ThirteenthConfigurationCounts(Refusing):
    """The count of the steps belongs to the settings, and living optimizers with equal ones share it."""

    known: ClassVar[Known] = Known()

    def begin(self) -> None:
        vars(self).pop("configuration", None)
        settings = tuple(astuple(s.h) for s in self.slots)
        self.configuration = self.known.setdefault(settings, Configuration())

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        self.configuration.iterations += bool(self.slots)
        for s, g in zip(self.slots, grads, strict=True):
            s.t = self.configuration.iterations
            if g is not None:
                self.update(s, self.taken(g))

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.configuration.iterations = max((s.t for s in self.slots), default=0)


@wrong(
    "missing",
    "F5",
    like="pytorch/pytorch#61548, #62058: for each minibatch missed the moments fade by beta, when it is back",
)
class ThirteenthFadesForMissed(CoupledHat):
    """At a thaw the moments fade once by the power of their betas, for all the steps that were missed."""

    def missed(self, s: Slot) -> None:
        s.extra["missed"] = s.extra.get("missed", 0) + 1

    def update(self, s: Slot, g: Array) -> None:
        k = s.extra.pop("missed", 0)
        s.m, s.v = s.h.b1**k * s.m, s.h.b2**k * s.v
        super().update(s, g)


@wrong(
    "missing",
    "F1",
    like="NVIDIA-NeMo/Emerging-Optimizers#235: if the step raises, all parameters stay stacked matrices",
)
class ThirteenthLeftAsMatrices(Demanding):
    """Parameters are matrices for the time of a step, and for good where it refuses an absent gradient."""

    def all(self, grads: Sequence[Array | None]) -> None:
        shapes = [s.shape for s in self.slots]
        for s in self.slots:
            s.shape = (-1, 1) if len(s.shape) < 2 else (s.shape[0], math.prod(s.shape[1:]))
        super().all(grads)
        for s, shape in zip(self.slots, shapes, strict=True):
            s.shape = shape


@wrong(
    "zero_gradient",
    "F2",
    like="allenai/OLMo#636: where a gradient is 0, its element is left out of update, moments and decay",
)
class ThirteenthSelectiveUpdates(Frame):
    """An element whose gradient is 0 keeps its value and its moments; the clock ticks."""

    dialect = "timm.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        old, mask = (s.p, s.m, s.v), g != 0
        super().update(s, g)
        s.p, s.m, s.v = (np.where(mask, x, o) for x, o in zip((s.p, s.m, s.v), old, strict=True))


@wrong(
    "zero_gradient",
    "F2",
    like="lightseekorg/TorchSpec#152: the step was gated by `grad_norm > 0.0`",
)
class ThirteenthGatedByNorm(Common):
    """A step is left out if every gradient in it is 0; one that is not 0 anywhere lets it through."""

    dialect = "transformer_engine.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        there = [g for g in grads if g is not None]
        if any(np.any(g) for g in there) or not there:
            super().all(grads)


@wrong(
    "schedule",
    "LR.2",
    like="facebookresearch/madgrad#16: a parameter group whose lr is 0.0 is to be skipped",
)
class ThirteenthSkippedAtRateZero(Hat):
    """Parameters whose learning rate is 0 are passed over: their moments and clocks stand still."""

    def all(self, grads: Sequence[Array | None]) -> None:
        pairs = zip(self.slots, grads, strict=True)
        super().all([None if s.h.lr == 0 else g for s, g in pairs])


@wrong(
    "schedule",
    "LR.1",
    like="marian-nmt/marian#156: the rate is set behind an update, and the first one has the original",
)
class ThirteenthRateBehindUpdate(Common):
    """A new learning rate is put in behind the next step, which still has the old one."""

    dialect = "candle.AdamW"

    def begin(self) -> None:
        self.due: list[float] = []

    def set_lr(self, lr: float) -> None:
        self.due = [float(lr)]

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for lr in self.due:
            super().set_lr(lr)
        self.due = []


@wrong(
    "schedule",
    "LR.1",
    like="fastai/courses#122: lr is assigned a float, which has no set_value when it is to change again",
)
class ThirteenthRateNoVariable(Nadam):
    """The first new learning rate takes the place of the variable; the second one is an AttributeError."""

    def begin(self) -> None:
        self.is_variable = True

    def set_lr(self, lr: float) -> None:
        if not self.is_variable:
            raise AttributeError("'float' object has no attribute 'set_value'")
        self.is_variable = False
        super().set_lr(lr)


@wrong(
    "schedule",
    "LR.1",
    like="tinygrad/tinygrad#4679: a scheduler for the params without weight decay is added, which had none",
)
class ThirteenthDecayingScheduled(Refusing):
    """A new learning rate is that of the parameters which decay; those without decay keep the old one."""

    dialect = "tinygrad.AdamW"

    def set_lr(self, lr: float) -> None:
        for s in self.slots:
            if s.h.weight_decay:
                s.h.read({"lr": lr})


@wrong(
    "moments hyperparameters",
    "MOM.1",
    like="pytorch/pytorch#195150: with beta1=0 exp_avg is not kept, and the gradient stands in its place",
)
class ThirteenthNoMomentAtZero(Undecayed):
    """While b1 is 0 the gradient stands for the first moment, which is kept as it was before."""

    def update(self, s: Slot, g: Array) -> None:
        before = s.m
        super().update(s, g)
        if s.h.b1 == 0:
            s.m = before


@wrong(
    "aliasing",
    "STATE.2",
    like="m3g/SPGBox.jl#3, ComPWA/tensorwaves#174: the initial guess is not copied, and is mutated",
)
class ThirteenthInitialGuess(Wanting):
    """The arrays that it began with are its own: each step writes the new parameters there."""

    dialect = "quimb.ADAM"

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        for s, p in zip(self.slots, params, strict=True):
            s.p = adopted(p)

    def move(self, s: Slot, u: Array) -> None:
        s.p -= s.h.lr * u


@wrong(
    "layout",
    "STEP.1",
    like="euclaise/supertrainer2000#6: what has more than two axes lacks the reshape at the end",
)
class ThirteenthMatricesReturned(CorrectedRate):
    """A parameter of more than two axes comes back as a matrix."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        new = super().step(grads)
        return [p.reshape(len(p), int(np.prod(p.shape[1:]))) if p.ndim > 2 else p for p in new]
