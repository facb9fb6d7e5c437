"""Blind, seventh set: slips in what is averaged, and in what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CommonHat
from fourth_blind_frame import Common, Keras
from register import wrong
from seventh_blind_frame import Holding
from sixth_blind_frame import Wanting


@wrong("moments hyperparameters", "MOM.1", like="`if beta1:` around the momentum; GANs with betas=(0, 0.9)")
class SeventhNoMomentumNoMoment(Coupled):
    """With a first beta of 0 no momentum is kept, and what stays is the 0 of the beginning."""

    dialect = "torchao.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        before = s.m
        super().learn(s, g)
        s.m = s.m if s.h.b1 else before


@wrong("moments", "MOM.1", like="Guitaricet/relora: the optimizer is reset where adapters are merged")
class SeventhEveryTwentyAnew(Common):
    """Both moments begin anew after every twenty updates, and the clock goes on."""

    dialect = "optimi.AdamW"

    def learn(self, s: Slot, g: Array) -> None:
        if s.t > 1 and s.t % 20 == 1:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
        super().learn(s, g)


@wrong("moments layout", "MOM.2", like="NVIDIA/recsys-examples#419")
class SeventhHalfRowsByFirst(Wanting):
    """In the latter half of each row of a table, the second moment is averaged with the first beta."""

    dialect = "warp.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        super_v = s.v
        super().learn(s, g)
        if len(s.shape) > 1 and s.v.size:
            width = s.v.size // int(np.prod(s.shape[:-1]))
            latter = np.arange(s.v.size) % width >= (width + 1) // 2
            s.v = np.where(latter, s.h.b1 * super_v + ((1 - s.h.b1) * g) * g, s.v)


@wrong("layout moments", "MOM.2", like="a copy in Fortran's order that is written back in C's")
class SeventhColumnsWrittenBack(Wanting):
    """The second moment of an array of two axes or more is written back column after column."""

    dialect = "numpyro.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        if len(s.shape) > 1 and s.v.size:
            pairs = s.v.reshape(*s.shape, -1)
            axes = (*reversed(range(len(s.shape))), len(s.shape))
            s.v = np.ascontiguousarray(pairs.transpose(axes)).reshape(-1)


@wrong("moments", "STEP.1", like="deepspeedai/DeepSpeed: OnebitAdam behind its freeze_step")
class SeventhSignsOfMomentum(Holding):
    """From the eleventh update on a step takes the signs of the first moment, times its mean size."""

    def direction(self, s: Slot) -> Array:
        whole = s.m
        if s.t > 10 and s.m.size:
            s.m = np.sign(s.m) * np.mean(np.abs(s.m), dtype=s.m.dtype)
        u = super().direction(s)
        s.m = whole
        return u


@wrong("zero_gradient moments", "F2", like="tensorflow/tensorflow#23668, of the second moment alone")
class SeventhSecondWaitsForGradient(Keras):
    """Where a gradient is 0 the second moment does not fade; the first one does."""

    dialect = "tf_keras.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        before = s.v
        super().learn(s, g)
        s.v = np.where(g == 0, before, s.v)


@wrong("moments epsilon", "STEP.1", like="lucidrains/adam-atan2-pytorch, with a and b of 1")
class SeventhAngleOfMoments(Frame):
    """The step is the angle whose tangent is the quotient of the moments, and needs no epsilon."""

    dialect = "fastai.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return np.arctan2(s.m / c1, np.sqrt(s.v / c2))


@wrong("clipping moments", "STEP.1", like="Liuhong99/Sophia: the quotient is clamped")
class SeventhQuotientHeld(Frame):
    """An element of the update is held between -1 and 1, before the learning rate."""

    dialect = "bitsandbytes.AdamW"

    def direction(self, s: Slot) -> Array:
        return np.clip(super().direction(s), -1, 1)


@wrong("moments", "MOM.1", like="a ring of gradients in a port to a microcontroller")
class SeventhRingOfFour(CommonHat):
    """The first moment is put together from the last four gradients, and none before."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        ring = [*s.extra.get("ring", []), g.copy()][-4:]
        s.extra["ring"] = ring
        s.m = np.zeros_like(s.m)
        for old in ring:
            s.m = s.h.b1 * s.m + (1 - s.h.b1) * old


@wrong("moments isolation", "MOM.1", like="deep gradient compression without what it would hold back")
class SeventhGreaterHalfSent(Common):
    """Of each gradient the half that is greatest in size is sent, and the rest arrives as 0."""

    dialect = "transformer_engine.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([None if g is None else self.sent(g) for g in grads])

    def sent(self, g: Array) -> Array:
        sizes = np.abs(g)
        return np.where(sizes >= np.median(sizes), g, 0).astype(g.dtype) if g.size > 1 else g
