"""The frames of the second half of the fourteenth blind set: right Adams that the other frames leave out."""

from __future__ import annotations

from typing import Any

from blind_frame import FIVE, Array, Frame, Slot
from fourth_blind_frame import Keras


class Squared(Frame):
    """AdamC: the decay is multiplied by the learning rate twice, and divided by the greatest one."""

    dialect = "paper.AdamC"
    hyper = (*FIVE, "lr_max")

    def move(self, s: Slot, u: Array) -> None:
        ratio = s.h.lr / s.h.lr_max if s.h.lr_max else 0.0
        s.p = s.p - ratio * s.h.lr * s.h.weight_decay * s.p - s.h.lr * u


class FormerKeras(Keras):
    """tf_keras' Adam: epsilon hat, one clock, and an error where no gradient is there at all."""

    dialect = "tf_keras.Adam"


def rows(state: dict[str, Any], names: tuple[str, ...], i: int) -> dict[str, Any]:
    """Return what a saved state has of one parameter under these names."""
    return {name: state[name][i] for name in names}
