"""Epsilon in the wrong place, at the wrong size, or with the wrong sign."""

from __future__ import annotations

import math

import numpy as np
from adams import Adam, AdamW, AMSGrad, Keras, NAdam, Optax
from flat import A, F
from register import wrong


@wrong("epsilon", "EPS.1", like="optax.adam with eps_root for eps")
class EpsilonInside(AdamW):
    """sqrt(v_hat + eps)."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2 + self.eps)


@wrong("epsilon", "EPS.1")
class EpsilonInsideUncorrected(AdamW):
    """sqrt((v + eps)/c2)."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt((v + self.eps) / c2)


@wrong("epsilon", "EPS.1", like="pytorch#22628")
class EpsilonHat(AdamW):
    """(sqrt(v) + eps)/sqrt(c2)."""

    def denominator(self, v: A, c2: F) -> A:
        return (np.sqrt(v) + self.eps) / math.sqrt(c2)


@wrong("epsilon", "EPS.2", like="tensorflow#9047")
class EpsilonNotHat(Keras):
    """sqrt(v_hat) + eps where the claim is eps-hat."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + self.eps


@wrong("epsilon", "EPS.1", like="tensorflow#61407")
class EpsilonSubtracted(AdamW):
    """sqrt(v_hat) - eps."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) - self.eps


@wrong("epsilon", "EPS.1")
class EpsilonSquared(AdamW):
    """sqrt(v_hat + eps**2)."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2 + self.eps**2)


@wrong("epsilon", "EPS.2", like="drjit.opt.Adam")
class EpsilonSquaredIfSmall(Keras):
    """eps**2 under the root up to eps=1e-6, eps beside it above."""

    def denominator(self, v: A, c2: F) -> A:
        if self.eps > 1e-6:
            return super().denominator(v, c2)
        return np.sqrt(v + self.eps**2) / math.sqrt(c2)


@wrong("epsilon", "EPS.1", like="drjit.opt.Adam")
class EpsilonSquaredIfTiny(AdamW):
    """sqrt(v_hat + eps**2) up to eps=1e-6, sqrt(v_hat) + eps above."""

    def denominator(self, v: A, c2: F) -> A:
        if self.eps > 1e-6:
            return super().denominator(v, c2)
        return np.sqrt(v / c2 + self.eps**2)


@wrong("epsilon", "EPS.1")
class EpsilonMaximum(AdamW):
    """max(sqrt(v_hat), eps)."""

    def denominator(self, v: A, c2: F) -> A:
        return np.maximum(np.sqrt(v / c2), self.eps)


@wrong("epsilon", "EPS.1", like="pytorch_optimizer#480")
class EpsilonAfterReciprocal(AdamW):
    """m_hat * (1/sqrt(v_hat) + eps)."""

    def denominator(self, v: A, c2: F) -> A:
        return 1 / (1 / np.sqrt(v / c2) + self.eps)


@wrong("epsilon hyperparameters", "EPS.1")
class EpsilonMissing(AdamW):
    """sqrt(v_hat) alone."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2)


@wrong("epsilon hyperparameters", "EPS.1")
class EpsilonConstant(AdamW):
    """1e-8 whatever eps is."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + 1e-8


@wrong("epsilon", "EPS.1")
class EpsilonTimesLr(AdamW):
    """sqrt(v_hat) + lr*eps, as a capturable form that lost its division."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + self.lr * self.eps


@wrong("epsilon", "EPS.1")
class EpsilonTwice(AdamW):
    """sqrt(v_hat + eps) + eps."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2 + self.eps) + self.eps


@wrong("epsilon", "EPS.1")
class EpsilonTimesCorrection(AdamW):
    """sqrt(v_hat) + eps*sqrt(c2): folded the wrong way round."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + self.eps * math.sqrt(c2)


@wrong("epsilon", "EPS.1")
class EpsilonPrecedence(AdamW):
    """m_hat/sqrt(v_hat) + eps: brackets lost."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2)

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, u + self.eps)


@wrong("epsilon hyperparameters", "EPS.1")
class EpsilonOnlyAtZero(AdamW):
    """eps only where the root is 0."""

    def denominator(self, v: A, c2: F) -> A:
        root = np.sqrt(v / c2)
        return np.where(root == 0, self.eps, root)


@wrong("epsilon", "EPS.5")
class EpsilonRootIgnored(Optax):
    """eps_root accepted and not used."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + self.eps


@wrong("epsilon", "EPS.5")
class EpsilonRootOutside(Optax):
    """sqrt(v_hat) + eps_root + eps."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + self.eps_root + self.eps


@wrong("epsilon", "EPS.5")
class EpsilonRootUncorrected(Optax):
    """sqrt((v + eps_root)/c2) + eps."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt((v + self.eps_root) / c2) + self.eps


@wrong("epsilon", "EPS.1")
class EpsilonInsideL2(Adam):
    """sqrt(v_hat + eps), under L2."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2 + self.eps)


@wrong("epsilon", "EPS.1", like="nanochat#304")
class EpsilonHatAMSGrad(AMSGrad):
    """(sqrt(v_max) + eps)/sqrt(c2)."""

    def denominator(self, v: A, c2: F) -> A:
        return (np.sqrt(v) + self.eps) / math.sqrt(c2)


@wrong("epsilon", "EPS.1")
class EpsilonHatNAdam(NAdam):
    """(sqrt(v) + eps)/sqrt(c2) under a momentum schedule."""

    def denominator(self, v: A, c2: F) -> A:
        return (np.sqrt(v) + self.eps) / math.sqrt(c2)
