"""The frames of the second half of the thirteenth blind set: right Adams that the other frames leave out."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Slot, corrections
from fourth_blind_frame import FOUR, Common, Keras, Uncorrected


class Mlx(Common, Uncorrected):
    """MLX's AdamW: one clock, and no correction."""

    dialect = "mlx.AdamW"


class MlxPlain(Mlx):
    """MLX's Adam: the same without decay."""

    dialect = "mlx.Adam"
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


class Browser(Common):
    """TensorFlow.js' Adam: one clock, and no decay."""

    dialect = "tfjs.Adam"
    hyper = FOUR

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u


class KerasMaximum(Keras):
    """Keras' AMSGrad: epsilon hat beside the root of the greatest second moment."""

    dialect = "keras.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))
