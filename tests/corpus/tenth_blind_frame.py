"""The frames of the tenth blind set: right Adams of dialects that the other frames leave out."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import FIVE, Array, Slot, corrections
from fifth_blind_frame import CommonHat, Modulus, Refusing
from fourth_blind_frame import FOUR, Keras


def interpolated(a: Array, b: Array, part: float) -> Array:
    """Return what lies a part of the way from a to b, formed from the end that is nearer."""
    return a + part * (b - a) if part < 0.5 else b - (1 - part) * (b - a)


class Undecayed(Keras):
    """Epsilon hat without decay, and an error where no gradient is there at all, as TensorFlow had it."""

    dialect = "tf1.Adam"
    hyper = FOUR


class Corrected(Undecayed):
    """Sonnet's Adam: the same with epsilon beside the corrected root."""

    dialect = "sonnet.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


class GreatestHat(CommonHat):
    """river's AMSGrad: epsilon hat beside the root of the greatest second moment."""

    dialect = "river.AMSGrad"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


class Greatest(Refusing):
    """optax' AMSGrad: the greatest of the corrected second moments, and a second epsilon under the root."""

    dialect = "optax.amsgrad"
    hyper = (*FIVE[:4], "eps_root")
    complex = False

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v / c2)
        return (s.m / (np.sqrt(s.top + s.h.eps_root) + s.h.eps)) / c1


class ModulusPlain(Modulus):
    """Optimisers.jl' Adam, which has no decay."""

    dialect = "optimisers_jl.Adam"
    hyper = FOUR
