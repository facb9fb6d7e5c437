"""The frames of the second half of the tenth blind set: thinc's order, TensorFlow 1, and a loss scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import FOUR, Common, Hat, Keras


class After(Hat):
    """thinc's Adam: epsilon hat, and the parameter decays behind its step."""

    dialect = "thinc.Adam"

    def move(self, s: Slot, u: Array) -> None:
        stepped = s.p - s.h.lr * u
        s.p = stepped - s.h.lr * s.h.weight_decay * stepped


class Undecayed(Frame):
    """numpy-ml's Adam, which has no weight decay."""

    dialect = "numpy_ml.Adam"
    hyper: ClassVar[tuple[str, ...]] = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


class Slotted(Keras):
    """TensorFlow 1: epsilon hat, one clock, no decay, and an error where no gradient is there at all."""

    dialect = "tf1.Adam"
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


class CoupledHat(Coupled, Hat):
    """MXNet's Adam: L2 and epsilon hat."""

    dialect = "mxnet.Adam"


class Wanting(Common):
    """One clock, and every gradient is wanted."""

    dialect = "onnxruntime.AdamW"

    def admit(self, grads: Sequence[Array | None]) -> None:
        if any(g is None for g in grads):
            raise ValueError(f"{sum(g is None for g in grads)} gradients are None")


def sixteen(size: int) -> int:
    """Return a size as a counter of 16 bits with a sign has it."""
    return int(np.asarray(size, np.int64).astype(np.int16))
