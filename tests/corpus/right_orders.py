"""Right Adams that round elsewhere: other orders of operation, folded coefficients, wider arithmetic."""

from __future__ import annotations

import math

import numpy as np
from adams import Adam, AdamW, Late
from flat import A, F
from register import right


@right()
class Lerp(AdamW):
    """m + (1-b1)*(g-m)."""

    def first(self, m: A, g: A) -> A:
        return m + (1 - self.b1) * (g - m)


@right()
class LerpBoth(Adam):
    """Both moments by interpolation from the nearer end, as torch.lerp does it."""

    def lerp(self, start: A, end: A, w: F) -> A:
        return start + w * (end - start) if w < 0.5 else end - (end - start) * (1 - w)

    def first(self, m: A, g: A) -> A:
        return self.lerp(m, g, 1 - self.b1)

    def square(self, i: int, g: A) -> A:
        return g * g

    def second(self, v: A, square: A) -> A:
        return self.lerp(v, square, 1 - self.b2)


@right()
class LerpByWeight(AdamW):
    """m + (w*g - w*m)."""

    def first(self, m: A, g: A) -> A:
        w = 1 - self.b1
        return m + (w * g - w * m)


@right()
class StepSizeFolded(AdamW):
    """lr/c1 in one number."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        self.step_size = self.lr / c1
        return m

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.step_size * u


@right()
class StepSizeFirst(Adam):
    """(lr/c1*m)/denominator."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.lr / c1 * m

    def apply(self, i: int, p: A, u: A) -> A:
        return p - u


@right()
class RootOfQuotient(AdamW):
    """sqrt(v/c2)."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + self.eps


@right()
class RootTimesReciprocal(AdamW):
    """sqrt(v) * (1/sqrt(c2))."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) * (1 / math.sqrt(c2)) + self.eps


@right()
class EpsilonScaled(AdamW):
    """lr*sqrt(c2)/c1 * m/(sqrt(v) + eps*sqrt(c2))."""

    def one(self, i: int, g: A) -> None:
        self.c1, self.c2 = self.correction(self.t[i])
        super().one(i, g)

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) + self.eps * math.sqrt(c2)

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr * math.sqrt(self.c2) / self.c1 * u


@right()
class ScaledBeforeDivision(EpsilonScaled):
    """((lr*sqrt(c2)/c1)*m)/(sqrt(v) + eps*sqrt(c2)), whose numerator may underflow."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.lr * math.sqrt(self.c2) / c1 * m

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - u


@right()
class FoldedAddcdiv(Late):
    """torch's addcdiv with the step size folded in, as fairseq.Adam: (lr*sqrt(c2)/c1*m)/(sqrt(v) + eps)."""

    def one(self, i: int, g: A) -> None:
        self.c2 = self.correction(self.t[i])[1]
        super().one(i, g)

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.lr * math.sqrt(self.c2) / c1 * m

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) + self.eps

    def apply(self, i: int, p: A, u: A) -> A:
        p = p - u
        return p - self.lr * self.wd * p


@right()
class EpsilonOverLr(Adam):
    """As torch's capturable form: lr and corrections all within the denominator, but lr=0."""

    def one(self, i: int, g: A) -> None:
        if self.lr:
            super().one(i, g)
            return
        p, self.lr = self.p[i], 1.0
        super().one(i, g)
        self.p[i], self.lr = p, 0.0

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        self.c1 = c1
        return m

    def denominator(self, v: A, c2: F) -> A:
        step = -self.lr / self.c1
        return np.sqrt(v) / (math.sqrt(c2) * step) + self.eps / step

    def apply(self, i: int, p: A, u: A) -> A:
        return p + u


@right()
class Reciprocal(AdamW):
    """m_hat * (1/denominator)."""

    def denominator(self, v: A, c2: F) -> A:
        self.inverse = 1 / super().denominator(v, c2)
        return np.ones_like(v)

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, u * self.inverse)


@right()
class ReciprocalCorrections(Adam):
    """m*(1/c1), v*(1/c2)."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m * (1 / c1)

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v * (1 / c2)) + self.eps


@right()
class DecayAsFactor(AdamW):
    """p*(1 - lr*wd) - lr*u."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p * (1 - self.lr * self.wd) - self.lr * u


@right()
class DecayInUpdate(AdamW):
    """p - lr*(u + wd*p)."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * (u + self.wd * p)


@right()
class DecayAddedToStep(AdamW):
    """p - (lr*u + lr*wd*p)."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - (self.lr * u + self.lr * self.wd * p)


@right()
class DecayByNegativeSteps(AdamW):
    """p + (-lr*wd)*p + (-lr)*u."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p + -self.lr * self.wd * p + -self.lr * u


@right()
class SquareFirst(AdamW):
    """(1-b2)*(g*g), which overflows earlier (a note)."""

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) * (g * g)


@right()
class SquareOfScaled(AdamW):
    """(sqrt(1-b2)*g)**2."""

    def square(self, i: int, g: A) -> A:
        root: A = math.sqrt(1 - self.b2) * g
        return root * root


@right()
class CoupledInMoments(Adam):
    """L2 split: (1-b1)*g + ((1-b1)*wd)*p in m."""

    def one(self, i: int, g: A) -> None:
        self.raw, self.old = g, self.p[i]
        super().one(i, g)

    def first(self, m: A, g: A) -> A:
        return self.b1 * m + ((1 - self.b1) * self.raw + (1 - self.b1) * self.wd * self.old)
