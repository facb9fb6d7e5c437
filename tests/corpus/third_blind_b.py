"""Blind, third set: slips in bias correction and epsilon."""

from __future__ import annotations

import math

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from register import wrong


def truncated(x: float) -> float:
    """Return the upper half of a float32, as a kernel that hands over 16 bits takes it."""
    bits = np.asarray(x, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return float(bits.view(np.float32))


def divided(s: Slot, c1: float, root: float) -> Array:
    """Return the direction with these corrections."""
    return (s.m / (np.sqrt(s.v) / root + s.h.eps)) / c1


@wrong("bias_correction", "BC.1", like="karpathy/convnetjs#70")
class ThirdMultipliedByCorrections(Frame):
    """Bias correction: both moments are multiplied by 1 - b**t where they are to be divided by it."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return divided(s, 1 / c1, 1 / math.sqrt(c2))


@wrong("bias_correction", "BC.2", like="kozistr/AdaBound-tensorflow#3")
class ThirdComplementOfCorrection(Frame):
    """Bias correction: the second moment's correction is taken from 1 once more, which leaves b2**t."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return divided(s, c1, math.sqrt(1 - c2))


@wrong("bias_correction", "BC.1", like="kozistr/pytorch_optimizer#308")
class ThirdComplementTwice(Frame):
    """Bias correction: the first moment is divided by b1**t, since its complement was formed twice."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return divided(s, 1 - c1, math.sqrt(c2))


@wrong("bias_correction clock mixed_precision", "CLK.2", like="pytorch/ao#4915")
class ThirdClockStandsAt256(Frame):
    """Bias correction: the count of steps is kept in bfloat16, which has no 257, and stands still at 256."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, min(s.t, 256))
        return divided(s, c1, math.sqrt(c2))


@wrong("hyperparameters mixed_precision", "MOM.2", like="tenstorrent/tt-metal#55935")
class ThirdBetasTruncated(Frame):
    """Second moment: the betas are cut to bfloat16 on their way to the kernel, and 0.999 acts as 0.996."""

    def update(self, s: Slot, g: Array) -> None:
        b1, b2 = truncated(s.h.b1), truncated(s.h.b2)
        s.m = b1 * s.m + (1 - b1) * g
        s.v = b2 * s.v + ((1 - b2) * g) * g
        self.move(s, divided(s, 1 - b1**s.t, math.sqrt(1 - b2**s.t)))


@wrong("bias_correction", "BC.2", like="pytorch/pytorch#23737")
class ThirdCorrectionWithoutRoot(Frame):
    """Bias correction: the root of the second moment is divided by 1 - b2**t itself and not by its root."""

    def direction(self, s: Slot) -> Array:
        return divided(s, *corrections(s.h, s.t))


@wrong("bias_correction clock", "CLK.2", like="ooples/AiDotNet#702")
class ThirdCountFromZeroHeldUp(Frame):
    """Bias correction: steps are counted from 0 and 0 is raised to 1, so that the first count comes twice."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, max(s.t - 1, 1))
        return divided(s, c1, math.sqrt(c2))


@wrong("bias_correction coefficients mixed_precision", "BC.2", like="tenstorrent/tt-metal#52953")
class ThirdPowersInHalf(Frame):
    """Bias correction: the powers of the betas pass through a float16 before their complement is taken."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - float(np.float16(b**s.t)) for b in (s.h.b1, s.h.b2))
        return divided(s, c1, math.sqrt(c2))


@wrong("bias_correction clock", "CLK.2", like="allenai/OLMo-core#309")
class ThirdStepsNeverCounted(Frame):
    """Clock: a copy of the counter is incremented and thrown away; every step is corrected as the first."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, 1)
        return divided(s, c1, math.sqrt(c2))


@wrong("epsilon", "EPS.1")
class ThirdEpsilonAsFloor(Frame):
    """Epsilon: it is the least value of the root and not added to it, which counts where the two are near."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / np.maximum(np.sqrt(s.v) / math.sqrt(c2), s.h.eps)) / c1


@wrong("epsilon", "EPS.1", like="kozistr/pytorch_optimizer#397")
class ThirdEpsilonSquaredInside(Frame):
    """Epsilon: its square stands under the root, which counts where the root is near epsilon."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / np.sqrt(s.v / c2 + s.h.eps**2)) / c1


@wrong("epsilon moments", "EPS.1", like="LBANN/lbann#2467")
class ThirdEpsilonOnGradient(Frame):
    """Epsilon: it is added to every gradient, to keep denormal numbers out, and to the root as well."""

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g + s.h.eps)


@wrong("epsilon mixed_precision zero_gradient hyperparameters", "EPS.1", like="google-deepmind/optax#1754")
class ThirdEpsilonInHalf(Frame):
    """Epsilon: it passes through a float16, where 1e-8 is 0 and an element without gradient becomes NaN."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        with np.errstate(invalid="ignore"):
            return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + float(np.float16(s.h.eps)))) / c1
