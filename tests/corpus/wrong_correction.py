"""Bias correction left out, misplaced, mistaken or leaking into the state."""

from __future__ import annotations

import math

import numpy as np
from adams import Adam, AdamW, AMSGrad, Keras, NAdam, Uncorrected
from flat import A, F
from register import wrong


@wrong("bias_correction", "BC.1", like="mlx#1153")
class CorrectionNone(AdamW):
    """No correction at all."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1.0, 1.0


@wrong("bias_correction", "BC.2")
class CorrectionFirstOnly(AdamW):
    """m corrected, v not."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.b1**t, 1.0


@wrong("bias_correction", "BC.1", like="AdamD")
class CorrectionSecondOnly(AdamW):
    """v corrected, m not."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1.0, 1 - self.b2**t


@wrong("bias_correction", "BC.1")
class CorrectionUnasked(Uncorrected):
    """Both corrected where the claim is none."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.b1**t, 1 - self.b2**t


@wrong("bias_correction", "BC.1", like="tt-metal#52953")
class CorrectionSwapped(AdamW):
    """m by 1-b2**t, v by 1-b1**t."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.b2**t, 1 - self.b1**t


@wrong("bias_correction", "BC.2")
class CorrectionBothByFirst(AdamW):
    """1-b1**t for v too."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.b1**t, 1 - self.b1**t


@wrong("bias_correction", "BC.1")
class CorrectionBothBySecond(Adam):
    """1-b2**t for m too."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.b2**t, 1 - self.b2**t


@wrong("bias_correction clock", "CLK.2")
class CorrectionLate(AdamW):
    """1-b**(t+1): a clock that starts at 1 and ticks before use."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(t + 1)


@wrong("bias_correction clock", "CLK.2", like="onnx.Adam at T=0")
class CorrectionEarly(AdamW):
    """1-b**(t-1), none in the first step: a clock that ticks after use."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(t - 1) if t > 1 else (1.0, 1.0)


@wrong("bias_correction clock", "CLK.2", like="OLMo-core#309")
class CorrectionFrozen(AdamW):
    """1-b for ever: the clock never ticks past 1."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(1)


@wrong("bias_correction clock", "CLK.3")
class CorrectionStopsAtTen(AdamW):
    """1-b**min(t, 10)."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(min(t, 10))


@wrong("bias_correction clock", "CLK.3")
class CorrectionStopsAtHundred(AdamW):
    """1-b**min(t, 100)."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(min(t, 100))


@wrong("bias_correction", "BC.1")
class CorrectionOffAfterTen(AdamW):
    """None from the tenth step on."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(t) if t < 10 else (1.0, 1.0)


@wrong("bias_correction", "BC.2")
class CorrectionRootMissing(AdamW):
    """sqrt(v)/c2."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) / c2 + self.eps


@wrong("bias_correction", "BC.1")
class CorrectionRootOfFirst(AdamW):
    """m/sqrt(c1)."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / math.sqrt(c1)


@wrong("bias_correction", "BC.2")
class CorrectionTwice(AdamW):
    """v/c2 corrected once more."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2 / c2) + self.eps


@wrong("bias_correction", "BC.1")
class CorrectionMultiplied(AdamW):
    """m*c1."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m * c1


@wrong("bias_correction", "BC.1", like="toygrad, after convnetjs")
class CorrectionBothMultiplied(AdamW):
    """m*c1 and v*c2."""

    def correction(self, t: int) -> tuple[F, F]:
        c1, c2 = super().correction(t)
        return 1 / c1, 1 / c2


@wrong("bias_correction epsilon", "BC.1", like="climin.Adam")
class CorrectionWithEpsilon(AdamW):
    """1 - b**t + eps for both."""

    def correction(self, t: int) -> tuple[F, F]:
        c1, c2 = super().correction(t)
        return c1 + self.eps, c2 + self.eps


@wrong("bias_correction clock", "CLK.2", like="gradient-descent.Adam")
class CorrectionBeginsTwice(AdamW):
    """1-b**max(t-1, 1): the first two updates count as t=1."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(max(t - 1, 1))


@wrong("bias_correction", "BC.1")
class CorrectionLinear(AdamW):
    """min(t*(1-b), 1): the power expanded to first order."""

    def correction(self, t: int) -> tuple[F, F]:
        return min(t * (1 - self.b1), 1.0), min(t * (1 - self.b2), 1.0)


@wrong("bias_correction", "BC.3", like="holocron#1")
class CorrectionWrittenToFirst(AdamW):
    """m_hat stored as m."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        self.m[i] = m / c1
        return self.m[i]


@wrong("bias_correction", "BC.3", like="holocron#1")
class CorrectionWrittenToSecond(Adam):
    """v_hat stored as v."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.v[i] = v / c2
        return self.v[i], 1.0


@wrong("bias_correction", "BC.3", like="pennylane#1929")
class CorrectionWrittenToLr(AdamW):
    """The corrected lr kept as lr."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        if i == 0:
            self.lr *= math.sqrt(1 - self.b2 ** self.t[0]) / c1
        return m

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) + self.eps


@wrong("bias_correction", "BC.2")
class CorrectionMissingUnderAMSGrad(AMSGrad):
    """v_max not corrected, m is."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        return super().peak(i, v, c2)[0], 1.0


@wrong("bias_correction", "BC.1")
class CorrectionNoneKeras(Keras):
    """No correction, with eps-hat."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1.0, 1.0


@wrong("bias_correction", "BC.2")
class CorrectionNoneNAdam(NAdam):
    """v not corrected under a momentum schedule."""

    def correction(self, t: int) -> tuple[F, F]:
        return 1.0, 1.0
