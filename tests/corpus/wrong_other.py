"""Optimizers that are no Adam: each must deviate, and be identified as none."""

from __future__ import annotations

import math

import numpy as np
from adams import Adam, AdamW
from flat import A, F
from register import other


class Bare(Adam):
    """Whatever ``rule`` makes of (p, m, v, g) at t."""

    def one(self, i: int, g: A) -> None:
        g = g + self.wd * self.p[i]
        self.p[i], self.m[i], self.v[i] = self.rule(self.p[i], self.m[i], self.v[i], g, self.t[i])

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        raise NotImplementedError


@other(like="Zhuang et al. 2020; pyro's centered_variance")
class AdaBelief(AdamW):
    """v averages (g-m)**2."""

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) * (g - self.m[i]) ** 2


@other(like="Zaheer et al. 2018")
class Yogi(AdamW):
    """v moves towards g*g by a fixed weight."""

    def second(self, v: A, square: A) -> A:
        towards: A = np.sign(square - (1 - self.b2) * v)
        moved: A = v + towards * square
        return moved


@other(like="Kingma and Ba 2015, section 7")
class Adamax(Bare):
    """The infinity norm for the second moment."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        m, v = self.first(m, g), np.maximum(self.b2 * v, np.abs(g) + self.eps)
        return p - self.lr / (1 - self.b1**t) * m / v, m, v


@other(like="Liu et al. 2020")
class RAdam(AdamW):
    """Rectified: no denominator while the variance is unknown."""

    def one(self, i: int, g: A) -> None:
        self.now = self.t[i]
        super().one(i, g)

    def denominator(self, v: A, c2: F) -> A:
        t, most = self.now, 2 / (1 - self.b2) - 1
        rho = most - 2 * t * self.b2**t / (1 - self.b2**t)
        if rho <= 5:
            return np.ones_like(v)
        r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
        return super().denominator(v, c2) / r


@other(like="You et al. 2019")
class Lamb(AdamW):
    """The step scaled to the parameter's norm."""

    def apply(self, i: int, p: A, u: A) -> A:
        u = u + self.wd * p
        size, step = np.sqrt(np.sum(p * p)), np.sqrt(np.sum(u * u))
        return p - self.lr * (size / step if size > 0 and step > 0 else 1.0) * u


@other(like="Chen et al. 2023")
class Lion(AdamW):
    """The sign of an interpolated momentum."""

    def one(self, i: int, g: A) -> None:
        u = np.sign(self.b1 * self.m[i] + (1 - self.b1) * g)
        self.p[i] = self.apply(i, self.p[i], u)
        self.m[i] = self.b2 * self.m[i] + (1 - self.b2) * g


@other()
class Momentum(Bare):
    """Gradient descent with momentum."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        m = self.b1 * m + g
        return p - self.lr * m, m, v


@other(like="Graves 2013")
class RmsPropCentred(Bare):
    """The variance for the second moment (plain RMSProp is Adam with b1=0 and no correction)."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        m, v = self.b2 * m + (1 - self.b2) * g, self.b2 * v + (1 - self.b2) * g * g
        return p - self.lr * g / (np.sqrt(np.maximum(v - m * m, 0)) + self.eps), m, v


@other(like="Duchi et al. 2011")
class Adagrad(Bare):
    """The sum of squares."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        v = v + g * g
        return p - self.lr * g / (np.sqrt(v) + self.eps), m, v


@other(like="Zeiler 2012")
class Adadelta(Bare):
    """Units kept by a running average of steps (m)."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        v = self.b2 * v + (1 - self.b2) * g * g
        step = np.sqrt(m + self.eps) / np.sqrt(v + self.eps) * g
        return p - self.lr * step, self.b2 * m + (1 - self.b2) * step * step, v


@other(like="Chen and Gu 2018")
class Padam(AdamW):
    """The root's exponent 1/4."""

    def denominator(self, v: A, c2: F) -> A:
        return (v / c2) ** 0.25 + self.eps


@other(like="Luo et al. 2019")
class AdaBound(AdamW):
    """Step sizes clipped to bounds that close in on 0.1."""

    def one(self, i: int, g: A) -> None:
        self.now = self.t[i]
        super().one(i, g)

    def denominator(self, v: A, c2: F) -> A:
        low, high = 0.1 * (1 - 1 / (0.5 * self.now + 1)), 0.1 * (1 + 1 / (0.5 * self.now))
        return self.lr / np.clip(self.lr / super().denominator(v, c2), low, high)


@other(like="Taniguchi et al. 2024")
class Adopt(Bare):
    """Normalised by the last v before momentum is taken."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        if t == 1:
            return p, m, g * g
        m = self.first(m, g / np.maximum(np.sqrt(v), self.eps))
        return p - self.lr * m, m, self.b2 * v + (1 - self.b2) * g * g


@other(like="Liang et al. 2024")
class Cautious(AdamW):
    """Only where the update has the gradient's sign."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return np.where(m * g > 0, m / c1, 0)


@other(like="Ziyin et al. 2020")
class LaProp(Bare):
    """Momentum of normalised gradients."""

    def rule(self, p: A, m: A, v: A, g: A, t: int) -> tuple[A, A, A]:
        c1, c2 = self.correction(t)
        v = self.b2 * v + (1 - self.b2) * g * g
        m = self.first(m, g / (np.sqrt(v / c2) + self.eps))
        return p - self.lr * m / c1, m, v
