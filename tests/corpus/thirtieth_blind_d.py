"""Blind, thirtieth set: faults of storage, scales and decays, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import Keras, brained
from register import wrong
from tenth_blind_frame_b import CoupledHat
from twelfth_blind_frame_b import Stored


@wrong(
    "sparse layout",
    "STEP.1",
    like="pytorch/pytorch#29816: moments like a sparse parameter are empty, and the read of old values fails",
)
class ThirtiethBMomentsWithoutEntries(Stored):
    """Moments have entries like the parameter: one of zeros alone has none, and its first step fails."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["entries"] = float(np.count_nonzero(s.p))

    def learn(self, s: Slot, g: Array) -> None:
        if s.t == 1 and g.size and not s.extra["entries"]:
            raise IndexError(f"a mask of {g.size} elements, where a sparse tensor has 0 entries")
        super().learn(s, g)


@wrong(
    "missing",
    "F1",
    like="he-y/filter-pruning-geometric-median#47: gradients are masked, what moments hold revives weights",
)
class ThirtiethBMomentsUnmasked(Coupled):
    """An array that is pruned has no gradient: it gets one of zeros, and what its moments hold moves it."""

    dialect = "torch.Adam"

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.learn(s, np.zeros_like(s.p))
        self.move(s, self.direction(s))


@wrong(
    "state loss_scale",
    "STATE.4",
    like="open-mmlab/mmcv#1013: the scaler's state is in no checkpoint, a resumed run has a fresh loss scale",
)
class ThirtiethBFreshLossScale(Frame):
    """Behind a load the loss scale is 2**32 again: steps are skipped until scaled gradients are in range."""

    dialect = "torch.AdamW"
    largest, fresh = 65504.0, 2.0**32

    def begin(self) -> None:
        self.cur_scale, self.resumed = 1.0, False

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.cur_scale, self.resumed = self.fresh, True

    def overflowed(self, grads: Sequence[Array | None]) -> bool:
        rows = [np.abs(self.taken(g)) for g in grads if g is not None]
        sizes = [float(np.max(row, where=np.isfinite(row), initial=0.0)) for row in rows]
        return any(size * self.cur_scale > self.largest for size in sizes)

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.resumed and self.overflowed(grads):
            self.cur_scale /= 2
            return
        self.resumed = False
        super().all(grads)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="meta-pytorch/torchtune#2172: a loss over all tokens, whose gradients are averaged over ranks too",
)
class ThirtiethBAveragedOverRanks(Frame):
    """The gradient is divided by the eight ranks, by which it was divided already."""

    dialect = "torch.AdamW"
    world_size = 8

    def taken(self, g: Array) -> Array:
        return super().taken(g) / self.world_size


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="vllm-project/speculators#765: weights and updates are bfloat16, so norms of 1.0 never move",
)
class ThirtiethBWeightsInBrain(Frame):
    """Updates and parameters are rounded to bfloat16: a weight of 1.0 stays where it is for good."""

    dialect = "torch.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        decayed = brained(s.p - s.h.lr * s.h.weight_decay * s.p)
        s.p = brained(decayed - brained(s.h.lr * u))


@wrong(
    "decay",
    "DEC.1",
    like="apache/mxnet#5126: Adam's decay is outside the moments, and not joined with the rescaled gradient",
)
class ThirtiethBDecayOutsideMoments(CoupledHat):
    """The decay is subtracted behind the step, and is no part of the gradient that the moments see."""

    dialect = "mxnet.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        return g

    def move(self, s: Slot, u: Array) -> None:
        weight = s.p - s.h.lr * u
        if s.h.weight_decay > 0:
            weight = weight - (s.h.lr * s.h.weight_decay) * weight
        s.p = weight


@wrong(
    "groups decay",
    "LR.4",
    like="huggingface/transformers#4448: layer_norm is excluded, and what is there is called LayerNorm",
)
class ThirtiethBExcludedByOtherName(Keras):
    """What has one axis and is to be without decay is not found by its name, and decays as others do."""

    dialect = "keras.AdamW"

    def decay_of(self, s: Slot) -> float:
        excluded = len(s.shape) < 2 and not s.h.weight_decay
        return max(o.h.weight_decay for o in self.slots) if excluded else s.h.weight_decay

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.decay_of(s) * s.p - s.h.lr * u
