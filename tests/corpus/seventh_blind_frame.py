"""The frames of the seventh blind set: right Adams of dialects that the other frames leave out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CorrectedRate, Refusing, Zeros
from fourth_blind_frame import FOUR, Common, Keras, Optax, Uncorrected


class Holding(Common):
    """AdamW with one clock, which stands still where every gradient is absent."""

    dialect = "deepspeed.FusedAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(g is not None for g in grads):
            super().all(grads)


class WantingUncorrected(Refusing, Uncorrected):
    """AdamW without correction, to which every gradient has to be given."""

    dialect = "js_pytorch.Adam"


class Unread(Frame):
    """AMSGrad as in its paper: nothing is corrected, and there is no epsilon."""

    dialect = "paper.AMSGrad"
    hyper = FOUR[:3]

    def direction(self, s: Slot) -> Array:
        s.top = np.maximum(s.top, s.v)
        return s.m / np.sqrt(s.top)


class Inside(CorrectedRate):
    """Apex' first fused Adam: epsilon joins the uncorrected second moment, under the root."""

    dialect = "apex.contrib.FusedAdam"
    options = {"eps_inside_sqrt": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / np.sqrt(s.v + s.h.eps))


class Sonnet(Keras):
    """Algorithm 1 without decay: one clock, and an error where no gradient is there at all."""

    dialect = "sonnet.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


class LegacyMaximum(Keras):
    """tf_keras' legacy Adam: AMSGrad with epsilon hat, without decay."""

    dialect = "tf_keras.legacy.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))


class ZerosMaximum(Zeros):
    """Dr.Jit's AMSGrad: epsilon hat, no decay, and what is absent is zero."""

    dialect = "drjit.Adam"
    options = {"amsgrad": "True"}  # noqa: RUF012
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = self.highest(s)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.top) + s.h.eps))

    def highest(self, s: Slot) -> Array:
        return np.maximum(s.top, s.v)


class OptaxMaximum(Optax):
    """optax' AMSGrad: the greatest corrected second moment, and a second epsilon under the root."""

    dialect = "optax.amsgrad"
    hyper = (*FOUR, "eps_root")

    def root(self, s: Slot) -> Array:
        s.top = np.maximum(s.top, s.v / corrections(s.h, s.t)[1])
        return np.sqrt(s.top + s.h.eps_root) + s.h.eps


class InsideCorrected(Refusing):
    """tiny-dnn's Adam: a constant epsilon joins the corrected second moment, under the root."""

    dialect = "tiny_dnn.Adam"
    hyper = FOUR[:3]

    def left(self, s: Slot) -> tuple[Array | float, Array | float]:
        return corrections(s.h, s.t)

    def direction(self, s: Slot) -> Array:
        c1, c2 = self.left(s)
        return np.asarray((s.m / np.sqrt(s.v / c2 + s.h.eps)) / c1)


class Cautious(Frame):
    """AdamW of which an element decays only where its step does not lead away from 0."""

    dialect = "paper.CautiousAdamW"

    def mask(self, s: Slot, u: Array) -> Array:
        return np.sign(u) * np.sign(s.p) >= 0

    def move(self, s: Slot, u: Array) -> None:
        decayed = np.where(self.mask(s, u), s.h.lr * s.h.weight_decay * s.p, 0)
        s.p = s.p - decayed.astype(s.p.dtype) - s.h.lr * u


class PaperAdamW(Frame):
    """The AdamW of the paper: the decay has no learning rate."""

    dialect = "paper.AdamW"

    def share(self, s: Slot) -> float:
        return s.h.weight_decay

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - self.share(s) * s.p - s.h.lr * u
