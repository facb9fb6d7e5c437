"""Blind: the bias corrections of other Adams' bugs."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


@wrong("bias_correction", "BC.2", like="kozistr/pytorch_optimizer#308")
class BlindMinusOneTwice(Frame):
    """The second correction is taken from 1 a second time: b2**t stands for 1-b2**t."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(1 - c2) + s.h.eps)) / c1


@wrong("bias_correction", "BC.1", like="PaddlePaddle/Paddle python/paddle/optimizer/adam.py")
class BlindPowersFromDefaults(Frame):
    """The running powers of the betas start at 0.9 and 0.999, whatever the betas are."""

    def direction(self, s: Slot) -> Array:
        power1, power2 = 0.9 * s.h.b1 ** (s.t - 1), 0.999 * s.h.b2 ** (s.t - 1)
        return (s.m / (np.sqrt(s.v) / math.sqrt(1 - power2) + s.h.eps)) / (1 - power1)


@wrong("bias_correction", "BC.3", like="PennyLaneAI/pennylane#1929")
class BlindRateCorrectedAgain(Frame):
    """The corrected step size is kept, and the next correction multiplies it once more."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra["rate"] = 1.0

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.extra["rate"] *= math.sqrt(c2) / c1
        return s.extra["rate"] * (s.m / (np.sqrt(s.v) + math.sqrt(c2) * s.h.eps))


@wrong("bias_correction", "BC.1", like="keras-team/keras#10129")
class BlindCorrectionEnds(Frame):
    """From the twenty-first update on nothing is corrected, as if the corrections were 1 by then."""

    last = 20

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t) if s.t <= self.last else (1.0, 1.0)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("coefficients", "NUM.4", like="deepspeedai/DeepSpeed#7819")
class BlindFloatPowers(Frame):
    """The powers of the betas are running products of floats, where double precision is claimed."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra |= {"power1": 1.0, "power2": 1.0}

    def direction(self, s: Slot) -> Array:
        for name, b in (("power1", s.h.b1), ("power2", s.h.b2)):
            s.extra[name] = float(np.float32(s.extra[name]) * np.float32(b))
        c1, c2 = 1 - s.extra["power1"], 1 - s.extra["power2"]
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("schedule bias_correction", "LR.3", like="tenstorrent/tt-metal#53212")
class BlindPowersNotRenewed(Frame):
    """New betas reach the averages; the corrections go on with the powers of the first ones."""

    def begin(self) -> None:
        for s in self.slots:
            s.extra |= {"b1": s.h.b1, "b2": s.h.b2}

    def direction(self, s: Slot) -> Array:
        c1, c2 = 1 - s.extra["b1"] ** s.t, 1 - s.extra["b2"] ** s.t
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1
