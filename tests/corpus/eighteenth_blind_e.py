"""Blind, eighteenth set: faults of moments, rates, decays and clips, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from eighth_blind_frame import lengths
from fourth_blind_frame import Common, Keras
from register import wrong
from tenth_blind_frame import GreatestHat
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame import shortened


@wrong(
    "moments hyperparameters",
    "MOM.2",
    like="eaplatanios/tensorflow_scala@f57ec9de: the accessor of beta2 returns the tensor of beta1",
)
class EighteenthBAccessorOfBeta2(Slotted):
    """The second moment decays with beta1; its correction has a power of beta2."""

    def beta2(self, s: Slot) -> float:
        return s.h.b1

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = self.beta2(s) * s.v + ((1 - self.beta2(s)) * g) * g


@wrong(
    "clock state",
    "STATE.1",
    like="keras-team/keras#20878: apply() raises the inner optimizer's iterations, and not the wrapper's",
)
class EighteenthBWrappersIterations(Keras):
    """Steps are counted by an inner optimizer; the clock that the state shows stays at 0."""

    def begin(self) -> None:
        self.iterations = 0

    def get_state(self) -> dict[str, Any]:
        inner = super().get_state()
        return {**inner, "t": [self.iterations for _ in self.slots], "inner_iterations": inner["t"]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "t": state.get("inner_iterations", state["t"])})


@wrong(
    "groups layout",
    "LR.4",
    like="huggingface/pytorch-image-models#2712: a register token matches no group, and is put in the last",
    claim="timm.AdamW",
)
class EighteenthBTokenInLastGroup(Frame):
    """The first parameter, a token, has the learning rate and the weight decay of the last one's group."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        of_last = {name: hypers[-1][name] for name in ("lr", "weight_decay")} if hypers else {}
        super().init_groups(params, [{**h, **({} if i else of_last)} for i, h in enumerate(hypers)])


@wrong(
    "schedule",
    "LR.1",
    like="facebookresearch/barlowtwins#45: adjust_learning_rate has 0 for step 0",
)
class EighteenthBNothingInStepZero(Common):
    """The learning rate of the first step is 0, whatever it is set to; later ones have their own."""

    def move(self, s: Slot, u: Array) -> None:
        if s.t > 1:
            super().move(s, u)


@wrong(
    "decay",
    "DEC.5",
    like="LoganBooker/prodigy-plus-schedule-free@7346a95: z decays by a y that has decayed already",
)
class EighteenthBDecayOfDecayed(Frame):
    """A parameter loses by its decay a share of what has decayed already, not of the old parameter."""

    def move(self, s: Slot, u: Array) -> None:
        share = s.h.lr * s.h.weight_decay
        y = s.p - share * s.p
        s.p = s.p - share * y - s.h.lr * u


@wrong(
    "bias_correction",
    "BC.1",
    like="tensorflow/swift-apis#742: AMSGrad raises beta to the step, and what that gives once more",
)
class EighteenthBPowerOfPower(GreatestHat):
    """Both corrections have the power t of the power t of their beta, and are soon 1."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - (b**s.t) ** s.t for b in (s.h.b1, s.h.b2))
        s.top = np.maximum(s.top, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


@wrong(
    "decay moments",
    "MOM.2",
    like="juntang-zhuang/Adabelief-Optimizer#56: versions differ in whether the second moment has decay",
)
class EighteenthBPenaltyInOneMoment(Coupled):
    """The penalty is in the gradient of the first moment; the second one has the gradient without it."""

    def update(self, s: Slot, g: Array) -> None:
        whole = self.penalized(s, g)
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * whole
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
        c1, c2 = corrections(s.h, s.t)
        self.move(s, (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="bigscience-workshop/Megatron-DeepSpeed@46879674: copies of a parameter count in the norm as well",
)
class EighteenthBCopiesInNorm(Common):
    """All gradients are cut to a norm of 1, in which the vectors, that both ranks have, count twice."""

    ranks = 2

    def all(self, grads: Sequence[Array | None]) -> None:
        vectors = [g for g in grads if g is not None and g.ndim < 2]
        total = math.sqrt(lengths(grads) + (self.ranks - 1) * lengths(vectors))
        super().all([None if g is None else shortened(g, total) for g in grads])


@wrong(
    "state",
    "STATE.4",
    like="facebookresearch/pytext#966: an unpickled optimizer has parameters that no model has",
)
class EighteenthBOrphans(Frame):
    """After a restore it is copies that are stepped: the parameters of the model stay as they are."""

    def begin(self) -> None:
        self.model: list[Array] | None = None

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.model = [self.shaped(s, s.p) for s in self.slots]

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        stepped = super().step(grads)
        return stepped if self.model is None else [p.copy() for p in self.model]
