"""Blind, twenty-second set: faults of sessions, hooks, scales, dtypes, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Slot
from eighth_blind_frame import lengths
from fifth_blind_frame import Zeros
from fourth_blind_frame import Common, Optax
from register import wrong
from tenth_blind_frame_b import Slotted


@wrong(
    "aliasing state",
    "STATE.2",
    like="Anmol6/DNGO-BO#11: to initialise Adam's variables all variables are initialised, learned ones too",
)
class TwentySecondInitialisesAll(Slotted):
    """When the first update makes the slots all variables are initialised: parameters are drawn at random."""

    seed, stddev = 1, 0.1
    initialised = False

    def begin(self) -> None:
        self.initialised = False

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.initialised = True

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        if not self.initialised:
            self.initialize_all_variables()
        super().all(grads)

    def initialize_all_variables(self) -> None:
        rng = np.random.default_rng(self.seed)
        for s in self.slots:
            s.p = rng.normal(0, self.stddev, s.p.size).astype(s.p.dtype)
            s.m, s.v = np.zeros_like(s.p), np.zeros_like(s.p)
        self.initialised = True


@wrong(
    "decay",
    "DEC.3",
    like="chainer/chainer#4050: weight decay is a hook of the gradient, and so goes through the moments",
)
class TwentySecondDecayIsHook(Zeros):
    """Weight decay times the parameter is added to the gradient, in front of both moments."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, self.hook(s, g))

    def hook(self, s: Slot, g: Array) -> Array:
        return g + s.h.weight_decay * s.p

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


@wrong(
    "clipping",
    "CLIP.2",
    like="NVIDIA/apex#1794: the coefficient of a clip is multiplied into the gradients' scale, which is kept",
)
class TwentySecondClipsInScale(Common):
    """Each clip to a norm of 1 is multiplied into a scale that stays for all later steps."""

    max_norm = 1.0

    def begin(self) -> None:
        self._grad_scale = 1.0

    def clip_grad_norm(self, grads: Sequence[Array | None]) -> None:
        grad_norm = self._grad_scale * math.sqrt(lengths(grads))
        self._grad_scale *= min(1.0, self.max_norm / (grad_norm + 1e-6))

    def all(self, grads: Sequence[Array | None]) -> None:
        self.clip_grad_norm(grads)
        super().all(grads)

    def taken(self, g: Array) -> Array:
        return super().taken(g) * self._grad_scale


@wrong(
    "isolation",
    "STATE.3",
    like="AshishBora/csgm#2: an estimator that is called for each batch does not reset Adam's variables",
)
class TwentySecondVariablesOfFormerBatch(Slotted):
    """A new run of the same shapes begins with moments and step as the run before has left them."""

    variables: ClassVar[list[Slot]] = []

    def begin(self) -> None:
        cls = type(self)
        if self.signature(cls.variables) == self.signature(self.slots):
            for s, former in zip(self.slots, cls.variables, strict=True):
                s.t, s.m, s.v = former.t, former.m.copy(), former.v.copy()
        cls.variables = self.slots

    def signature(self, slots: Sequence[Slot]) -> list[tuple[Any, ...]]:
        return [(s.shape, s.dtype) for s in slots]


@wrong(
    "storage mixed_precision",
    "MOM.4",
    like="google/tunix#1880: hyperparameters that are injected are arrays, whose dtype the moments get",
)
class TwentySecondMomentsPromoted(Optax):
    """Betas are arrays of float64: moments of float32 are float64 from the first update on."""

    injected: ClassVar[tuple[str, ...]] = ("b1", "b2")

    def learn(self, s: Slot, g: Array) -> None:
        b1, b2 = (np.asarray(getattr(s.h, name)) for name in self.injected)
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + ((1 - b2) * g) * g

    def move(self, s: Slot, u: Array) -> None:
        dtype = s.p.dtype
        super().move(s, u)
        s.p = s.p.astype(dtype)

    def shaped(self, s: Slot, row: Array) -> Array:
        return row.reshape(s.shape).copy()
