"""The frames of the second half of the twelfth blind set, and a few things that its Adams do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import CommonHat
from fourth_blind_frame import FOUR, Hat
from tenth_blind_frame_b import Slotted


class CommonFour(CommonHat):
    """PennyLane's Adam: epsilon hat, one clock, and no decay."""

    dialect = "pennylane.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


class Legacy(Slotted):
    """tf_keras' legacy Adam: epsilon hat, one clock, no decay, and an error where no gradient is there."""

    dialect = "tf_keras.legacy.Adam"


class Stored(Hat):
    """PyTorch's SparseAdam, of whose rows all are stored: epsilon hat, and no decay."""

    dialect = "torch.SparseAdam"
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


def begun(s: Slot) -> None:
    """Put a parameter's clock and its moments back to where they begin."""
    s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)


def alike(a: Frame, b: Frame) -> bool:
    """Return whether two optimizers have equal parameters, in shapes, dtypes and values."""
    return len(a.slots) == len(b.slots) and all(
        x.shape == y.shape and x.dtype == y.dtype and np.array_equal(x.p, y.p)
        for x, y in zip(a.slots, b.slots, strict=True)
    )


def by_group(hypers: Sequence[dict[str, float]]) -> list[int]:
    """Return the numbers of all parameters, those of the first group first."""
    return sorted(range(len(hypers)), key=lambda i: list(hypers).index(hypers[i]))
