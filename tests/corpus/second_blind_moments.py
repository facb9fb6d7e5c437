"""Blind, second set: moments of other Adams' bugs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


def averaged(b: float, old: Array, new: Array) -> Array:
    """Return the moving average after one more number."""
    return b * old + (1 - b) * new


@wrong("moments", "MOM.1", like="raskr/rust-autograd#16")
class FreshNothingKept(Frame):
    """The new moments are formed and used, and never stored: every step begins from 0."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = (1 - s.h.b1) * g
        s.v = ((1 - s.h.b2) * g) * g


@wrong("moments", "MOM.1", like="mila-iqia/blocks#1144")
class FreshFirstBetaFades(Frame):
    """The average of gradients takes b1 times 0.96**(t-1); the correction takes b1."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        b1 = s.h.b1 * 0.96 ** (s.t - 1)
        s.m = averaged(b1, (s.m - (1 - s.h.b1) * g) / s.h.b1 if s.h.b1 else s.m * 0, g)


@wrong("moments", "MOM.2", like="stockeh/mlx-optimizers#43")
class FreshSquareOfParameter(Frame):
    """The second moment averages the squares of the parameter, not those of the gradient."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = averaged(s.h.b1, s.m, g)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * s.p) * s.p


@wrong("moments", "MOM.2", like="UselessToys/Ecosystem_WebUI#383")
class FreshCentredInPlace(Frame):
    """The square of the mean is subtracted from the stored second moment, again in each step."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        mean = averaged(s.h.b2, s.extra.get("mean", np.zeros_like(g)), g)
        s.extra["mean"] = mean
        s.v = np.maximum(s.v - mean * mean, 0)


@wrong("moments layout", "MOM.2", like="NVIDIA/recsys-examples#419")
class FreshNarrowTables(Frame):
    """In all arrays but the longest the second moment is averaged with b1."""

    def learn(self, s: Slot, g: Array) -> None:
        b2 = s.h.b2 if g.size == max(other.p.size for other in self.slots) else s.h.b1
        s.m = averaged(s.h.b1, s.m, g)
        s.v = b2 * s.v + ((1 - b2) * g) * g


@wrong("mixed_precision moments", "MOM.4", like="unslothai/unsloth-zoo#962")
class FreshFirstInBytes(Frame):
    """The first moment is stored as 256 levels between its least and its greatest element."""

    def move(self, s: Slot, u: Array) -> None:
        super().move(s, u)
        if s.m.size and np.isfinite(s.m).all():
            low, high = s.m.min(), s.m.max()
            level = (high - low) / 255
            if level > 0:
                s.m = (np.round((s.m - low) / level) * level + low).astype(s.m.dtype)


@wrong("mixed_precision moments", "NUM.1", like="matanbt/TROPT#8")
class FreshSquareInHalf(Frame):
    """The gradient is squared in float16, where small squares are 0 and large ones infinite."""

    def learn(self, s: Slot, g: Array) -> None:
        half = g.astype(np.float16)
        s.m = averaged(s.h.b1, s.m, g)
        s.v = averaged(s.h.b2, s.v, (half * half).astype(g.dtype))


@wrong("moments", "MOM.1", like="deepspeedai/DeepSpeed#1278")
class FreshGradientNotAdded(Frame):
    """The sum of the old moment and the gradient is formed and dropped: the first moment stays 0."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        s.m = s.m * 0


@wrong("moments", "MOM.2", like="deepspeedai/DeepSpeed#353")
class FreshSquareFreezes(Frame):
    """After eight updates the second moment stays as it is."""

    def learn(self, s: Slot, g: Array) -> None:
        before = s.v
        super().learn(s, g)
        if s.t > 8:
            s.v = before


@wrong("moments", "MOM.2", like="facebookresearch/dadaptation#21")
class FreshSquareOfDifference(Frame):
    """The second moment averages the square of the change of the gradient since the last step."""

    def learn(self, s: Slot, g: Array) -> None:
        change = g - s.extra.get("last", np.zeros_like(g))
        s.extra["last"] = g.copy()
        s.m = averaged(s.h.b1, s.m, g)
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * change) * change


@wrong("moments", "MOM.2", like="tenstorrent/tt-metal#56197")
class FreshRootOfArrayBefore(Frame):
    """An array is divided by the root of the array before it, if that has its length."""

    before: Array | None = None

    def all(self, grads: Sequence[Array | None]) -> None:
        self.before = None
        super().all(grads)

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        own = np.sqrt(s.v) / math.sqrt(c2) + s.h.eps
        used, self.before = self.before, own
        if used is None or used.shape != own.shape:
            used = own
        return (s.m / used) / c1


@wrong("moments", "MOM.2", like="huggingface/transformers#34506")
class FreshSecondBetaGrows(Frame):
    """The second beta is 1 - t**-0.8 until that exceeds b2, as in Adafactor."""

    def learn(self, s: Slot, g: Array) -> None:
        b2 = min(s.h.b2, 1 - s.t**-0.8)
        s.m = averaged(s.h.b1, s.m, g)
        s.v = b2 * s.v + ((1 - b2) * g) * g
