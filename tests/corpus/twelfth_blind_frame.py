"""The frames of the twelfth blind set, first half: right Adams of dialects that others leave out."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Coupled, Slot
from fifth_blind_frame import Refusing
from fourth_blind_frame import Common
from sixth_blind_frame import CoupledHat, Running


class CoupledCommon(Coupled, Common):
    """optimi's Adam: L2, and one clock that ticks in every step."""

    dialect = "optimi.Adam"


class RunningCoupled(Running, Coupled):
    """Paddle's Adam: L2, and the powers of the betas are products."""

    dialect = "paddle.Adam"


class RunningWanting(Running, CoupledHat, Refusing):
    """MindSpore's Adam: L2, epsilon hat, products of betas, and every gradient has to be given."""

    dialect = "mindspore.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


def shortened(g: Array, norm: float) -> Array:
    """Return a gradient that is divided by a norm if that exceeds 1."""
    return g * g.dtype.type(1 / norm) if norm > 1 else g
