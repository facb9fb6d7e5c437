"""Blind, tenth set: faults of absence, of layout and of dtypes, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Slot
from fourth_blind_frame import Common, Hat
from register import wrong
from tenth_blind_frame_b import After, Slotted, sixteen


@wrong("missing", "F1", like="explosion/curated-transformers#69: what is frozen is updated with zeros")
class TenthFrozenSeesZeros(After):
    """A parameter whose gradient is absent is stepped by a gradient of zeros."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.zeros_like(s.p))


@wrong("missing", "F1", like="mead-ml/mead-baseline#368, sail-sg/Adan#17: zip(params, grads_that_are_there)")
class TenthGradientsMoveUp(Slotted):
    """Behind an absent gradient every parameter gets the gradient of the next one."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        present = [g for g in grads if g is not None]
        for s in self.slots:
            self.tick(s)
        for s, g in zip(self.slots, present, strict=False):
            self.update(s, self.taken(g))


@wrong(
    "layout", "STEP.1", like="explosion/thinc#222: Buffer has wrong number of dimensions (expected 1, got 2)"
)
class TenthRowsAlone(After):
    """An array of two dimensions or more is refused in the step."""

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) > 1:
            raise ValueError(f"the buffer has {len(s.shape)} dimensions, expected 1")
        super().update(s, g)


@wrong("layout", "STEP.1", like="deepspeedai/DeepSpeed#7640: sizes are ints, and that of 2**31 is negative")
class TenthSizeOverflows(Common):
    """The number of elements is kept in 16 bits: one of 32768 elements or more is stepped in part."""

    dialect = "apex.FusedAdam"

    def update(self, s: Slot, g: Array) -> None:
        counted = max(sixteen(s.p.size), 0)
        p, m, v = s.p.copy(), s.m.copy(), s.v.copy()
        super().update(s, g)
        for new, old in ((s.p, p), (s.m, m), (s.v, v)):
            new[counted:] = old[counted:]


@wrong(
    "layout",
    "STEP.1",
    like="NVIDIA/recsys-examples#419: v is stored behind m, and read behind the width of the widest table",
)
class TenthWidthOfWidest(Hat):
    """In arrays shorter than the longest the next step reads v from behind where it lies."""

    dialect = "fairseq.Adam"

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        widest, own = max(other.p.size for other in self.slots), s.p.size
        stored = np.concatenate([s.m, s.v, np.zeros(2 * (widest - own), s.p.dtype)])
        s.v = stored[widest : widest + own]


@wrong("mixed_precision moments", "STEP.1", like="ooples/AiDotNet.Tensors#350: with T=double nothing moves")
class TenthDoublesStand(Coupled):
    """A parameter of float64 learns and never moves."""

    def move(self, s: Slot, u: Array) -> None:
        if s.p.dtype != np.float64:
            super().move(s, u)
