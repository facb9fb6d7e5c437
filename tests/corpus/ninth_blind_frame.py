"""The frames of the ninth blind set, first half: right Adams of dialects that the other frames leave out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Slot, corrections
from fourth_blind_frame import FOUR, Keras
from seventh_blind_frame import Sonnet
from sixth_blind_frame import Running, Wanting


class AscendingWanting(Wanting):
    """EvoTorch's Adam, which maximizes: one clock, no decay, and every gradient has to be given."""

    dialect = "evotorch.adam"

    def taken(self, g: Array) -> Array:
        return -super().taken(g)


class KerasMaximum(Keras):
    """Keras' AMSGrad: epsilon hat, decoupled decay, and the largest v before it is corrected."""

    dialect = "keras.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


class Powers(Running, Sonnet):
    """TensorFlow 1's Adam: epsilon hat, and the powers of the betas are products of one clock."""

    dialect = "tf1.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


def present(grads: Sequence[Array | None]) -> int:
    """Return how many gradients are there."""
    return sum(g is not None for g in grads)
