"""Blind, thirteenth set: reports of a wrong clipping, of a rate and a dtype that grow, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Slot, corrections
from eleventh_blind_c import length
from fifth_blind_frame import Refusing
from fourth_blind_frame import Common, Uncorrected
from register import right, wrong
from seventh_blind_frame import Inside
from sixth_blind_frame import CoupledHat, Wanting
from tenth_blind_frame import Corrected
from twelfth_blind_frame import shortened


@wrong(
    "schedule",
    "LR.1",
    like="nntrainer/nntrainer#674: decay_steps != -1 is true of the default, and the rate decays",
)
class ThirteenthDecaysByDefault(CoupledHat):
    """That no decay of the rate is asked for is not noticed: it is lr*0.96**(t/-1)."""

    dialect = "dlib.adam"
    hyper = ("lr", "b1", "b2", "weight_decay")

    def move(self, s: Slot, u: Array) -> None:
        decay_steps = np.uint32(0xFFFFFFFF)
        lr = s.h.lr
        if decay_steps != -1:
            lr *= 0.96 ** (s.t / int(decay_steps.view(np.int32)))
        s.p = s.p - lr * u


@wrong(
    "clipping",
    "CLIP.2",
    like="ooples/AiDotNet.Tensors#359: the norm is of all buffers that are allocated",
)
class ThirteenthNormOfBuffers(Common):
    """Gradients are scaled down to the norm 1 of all buffers; that of an absent one has its last gradient."""

    dialect = "transformer_engine.FusedAdam"

    def begin(self) -> None:
        self.buffers = [np.zeros_like(s.p) for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.buffers[s.index] = self.taken(g).copy()
        total = math.hypot(*(length(row) for row in self.buffers))
        for s in self.slots:
            self.tick(s)
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.update(s, shortened(self.buffers[s.index], total))


@wrong(
    "clipping",
    "CLIP.2",
    like="google/automl#910: each norm is clipped first, and the norm of all then",
)
class ThirteenthEachThenAll(Corrected):
    """Each gradient is scaled down to the norm 1, and then all of them are together."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        rows = [None if g is None else shortened(self.taken(g), length(g)) for g in grads]
        total = math.hypot(*(length(row) for row in rows if row is not None))
        for s in self.slots:
            self.tick(s)
        for s, row in zip(self.slots, rows, strict=True):
            if row is not None:
                self.update(s, shortened(row, total))


@wrong(
    "mixed_precision moments",
    "MOM.4",
    like="google/flax#924, jax-ml/jax#4827: Adam promotes everything from float32 to float64",
)
class ThirteenthPromoted(Refusing):
    """The weights of the averages are float64 arrays, and so are the moments after the first step."""

    dialect = "flax_legacy.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        b1, b2 = np.array([s.h.b1, s.h.b2])
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + ((1 - b2) * g) * g

    def move(self, s: Slot, u: Array) -> None:
        s.p = (s.p - s.h.lr * (u + s.h.weight_decay * s.p)).astype(s.p.dtype)

    def shaped(self, s: Slot, row: Array) -> Array:
        return row.view(np.result_type(row.dtype, s.dtype)).reshape(s.shape).copy()


@right()
class ThirteenthBracketOfRate(Inside):
    """Decay and quotient are added up under the corrected rate; a reciprocal root is multiplied in."""

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        c1, c2 = corrections(s.h, s.t)
        reciprocal = 1 / np.sqrt(s.v + s.h.eps)
        s.p = s.p - (s.h.lr * math.sqrt(c2) / c1) * (s.h.weight_decay * s.p + s.m * reciprocal)


@right()
class ThirteenthTwoSums(Uncorrected):
    """Step and decay are added with the rest that their sum loses, and both are taken off one by one."""

    def move(self, s: Slot, u: Array) -> None:
        step, decay = s.h.lr * u, (s.h.lr * s.h.weight_decay) * s.p
        total = step + decay
        back = total - step
        rest = (step - (total - back)) + (decay - back)
        s.p = (s.p - total) - np.where(np.isfinite(rest), rest, 0).astype(s.p.dtype)


@right()
class ThirteenthMinusInAverage(Wanting):
    """To maximize, the gradient is taken from its average, and what leads down is taken off."""

    dialect = "evotorch.adam"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m - (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * g) * g
