"""Blind, fifth set: slips in weight decay and in settings."""

from __future__ import annotations

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CorrectedRate, Zeros
from register import wrong


@wrong("decay", "DEC.1", like="a penalty that the trainer adds, and the kernel adds again for the square")
class FifthSecondHasPenaltyTwice(Coupled):
    """The first moment averages gradient and penalty, the second the square of gradient and two penalties."""

    def learn(self, s: Slot, g: Array) -> None:
        twice = self.penalized(s, g)
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * twice) * twice


@wrong("decay", "DEC.2", like="zeke-xie/stable-weight-decay-regularization")
class FifthStableDecay(Frame):
    """The decay is divided by the root of the mean of the array's corrected second moments."""

    def move(self, s: Slot, u: Array) -> None:
        mean = float(np.mean(s.v)) / corrections(s.h, s.t)[1] if s.v.size else 0.0
        share = s.h.weight_decay / np.sqrt(mean) if mean > 0 else s.h.weight_decay
        s.p = s.p - np.asarray(s.h.lr * share, s.p.dtype) * s.p - s.h.lr * u


@wrong("decay schedule", "DEC.8", like="axolotl-ai-cloud/axolotl#3929")
class FifthLargestRateFollows(Frame):
    """The rate that the decay is relative to is the greatest so far, where it should be the first."""

    dialect = "timm.AdamW"
    options = {"corrected_weight_decay": "True"}  # noqa: RUF012

    def move(self, s: Slot, u: Array) -> None:
        top = s.extra["lr_max"] = max(s.extra.get("lr_max", 0.0), s.h.lr)
        share = s.h.lr * s.h.lr / top * s.h.weight_decay if top else 0.0
        s.p = s.p - share * s.p - s.h.lr * u


@wrong("missing decay", "F1", like="chainer/chainer: GradientMethod.update over an uninitialized gradient")
class FifthAbsentDoesNotDecay(Zeros):
    """What is absent is zero in the moments and in the step, and yet the parameter does not decay."""

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.learn(s, np.zeros_like(s.p))
        s.p = s.p - s.h.lr * self.direction(s)


@wrong("decay", "DEC.4", like="apache/mxnet src/operator/contrib/adamw-inl.h")
class FifthHalfCorrectedDecay(CorrectedRate):
    """The decay's rate has the correction of the first moment, and lacks that of the second."""

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr / corrections(s.h, s.t)[0]
        s.p = s.p - rate * s.h.weight_decay * s.p - s.h.lr * u


@wrong("decay", "DEC.1", like="PaddlePaddle/Paddle: regularizer and learning rate")
class FifthPenaltyHasRate(Coupled):
    """The penalty in the gradient is multiplied by the learning rate, as a decoupled decay would be."""

    dialect = "paddle.Adam"

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + s.h.lr * s.h.weight_decay * s.p


@wrong("decay layout", "DEC.2", like="deepspeedai/DeepSpeed: adam_w_mode and adamw_mode, on GPU and CPU")
class FifthLongArraysCoupled(Frame):
    """Arrays of 64 elements and more are offloaded, and what steps them there has L2."""

    def update(self, s: Slot, g: Array) -> None:
        if s.p.size < 64:
            super().update(s, g)
            return
        self.learn(s, g + s.h.weight_decay * s.p)
        s.p = s.p - s.h.lr * self.direction(s)


@wrong("schedule", "LR.1", like="a plateau rule that keeps the least rate so far")
class FifthRateOnlyFalls(Frame):
    """A new learning rate is taken if it is below the old one; a greater one is passed over."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for s in self.slots:
            least = min(s.h.lr, hyper.get("lr", s.h.lr))
            s.h.read({**hyper, "lr": least})


@wrong("maximize decay", "MAX.1", like="a kernel whose branches are: decay, else maximize, else neither")
class FifthMaximizeElse(Coupled):
    """To maximize negates the gradient only where there is no decay."""

    options = {"maximize": "True"}  # noqa: RUF012

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + s.h.weight_decay * s.p if s.h.weight_decay else -g
