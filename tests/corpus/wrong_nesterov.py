"""Nesterov's look-ahead missing, unasked for, or at another time; and steps in the wrong direction."""

from __future__ import annotations

import math
from typing import ClassVar

from adams import Adam, AdamW, Ascent, NAdam, OptaxNAdam, TimmNAdam
from flat import A, F
from register import wrong


@wrong("nesterov", "NES.1")
class NesterovMissing(NAdam):
    """Plain Adam where the claim is NAdam."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / c1


@wrong("nesterov", "NES.2")
class NesterovMissingOptax(OptaxNAdam):
    """Plain AdamW where the claim is optax.nadamw."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / c1


@wrong("nesterov", "NES.2")
class NesterovUnasked(AdamW):
    """A look-ahead with two corrections where the claim is none."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.b1 / (1 - self.b1 ** (self.time(i) + 1)) * m + (1 - self.b1) / c1 * g


@wrong("nesterov", "NES.2", like="timm against optax")
class NesterovSameTime(OptaxNAdam):
    """One correction where the claim is two."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.b1 / c1 * m + (1 - self.b1) / c1 * g


@wrong("nesterov", "NES.3")
class NesterovTwoTimes(TimmNAdam):
    """Two corrections where the claim is one."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.b1 / (1 - self.b1 ** (self.time(i) + 1)) * m + (1 - self.b1) / c1 * g


@wrong("nesterov", "NES.1")
class NesterovNoSchedule(NAdam):
    """b1 constant where the claim is Dozat's schedule."""

    def mu_of(self, t: int) -> F:
        return self.b1


@wrong("nesterov hyperparameters", "NES.1", like="keras.Nadam")
class NesterovFastSchedule(NAdam):
    """momentum_decay taken as 1 whatever it is."""

    def mu_of(self, t: int) -> F:
        return self.b1 * (1 - 0.5 * 0.96**t)


@wrong("nesterov", "NES.1")
class NesterovHalfMissing(NAdam):
    """b1*(1 - 0.96**...): the factor 0.5 lost."""

    def mu_of(self, t: int) -> F:
        return self.b1 * (1 - math.pow(0.96, t * self.md))


@wrong("nesterov", "NES.1")
class NesterovPowerForProduct(NAdam):
    """mu(t)**t for the product of all mu."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        t = self.time(i)
        mu, after = self.mu_of(t), self.mu_of(t + 1)
        return after / (1 - after ** (t + 1)) * m + (1 - mu) / (1 - mu**t) * g


@wrong("nesterov", "NES.1")
class NesterovProductTwice(NAdam):
    """The product multiplied by mu(t+1) for good: each mu counts twice."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        mu, after = self.mu_of(self.time(i)), self.mu_of(self.time(i) + 1)
        now = self.mu[i] * mu
        self.mu[i] = now * after
        return after / (1 - self.mu[i]) * m + (1 - mu) / (1 - now) * g


@wrong("nesterov", "NES.1")
class NesterovGradientUncorrected(NAdam):
    """The gradient's term not divided by 1-M(t)."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        mu, after = self.mu_of(self.time(i)), self.mu_of(self.time(i) + 1)
        self.mu[i] *= mu
        return after / (1 - self.mu[i] * after) * m + (1 - mu) * g


@wrong("nesterov", "NES.2")
class NesterovOfRawGradient(OptaxNAdam):
    """The gradient's term without its weight 1-b1."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.b1 / (1 - self.b1 ** (self.time(i) + 1)) * m + g / c1


@wrong("maximize", "MAX.1")
class AscentIgnored(Adam):
    """maximize accepted and not used."""

    options: ClassVar[dict[str, str]] = {"maximize": "True"}


@wrong("maximize", "MAX.1")
class AscentUnasked(AdamW):
    """p + lr*u."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p + self.lr * u


@wrong("maximize decay", "MAX.1")
class AscentOfStep(Ascent):
    """The step negated instead of the gradient: L2 pushes away from zero."""

    def signed(self, g: A) -> A:
        return g

    def apply(self, i: int, p: A, u: A) -> A:
        return p + self.lr * u


@wrong("maximize", "MAX.1")
class AscentAtFirst(Ascent):
    """Upwards in the first step only."""

    def one(self, i: int, g: A) -> None:
        super().one(i, g if self.t[i] == 1 else -g)


@wrong("complex", "CPX.1", like="optax against torch")
class ComplexModulus(Adam):
    """v of the modulus where the claim is componentwise."""

    def square(self, i: int, g: A) -> A:
        square = super().square(i, g)
        return square.reshape(-1, 2).sum(1).repeat(2) if self.dtypes[i].kind == "c" else square


@wrong("complex", "CPX.1")
class ComplexImaginaryLost(AdamW):
    """The imaginary part never moves."""

    def apply(self, i: int, p: A, u: A) -> A:
        new = super().apply(i, p, u)
        if self.dtypes[i].kind == "c":
            new[1::2] = p[1::2]
        return new


@wrong("complex", "CPX.1", like="jax against torch")
class ComplexConjugated(AdamW):
    """Steps along the conjugate of the gradient."""

    def one(self, i: int, g: A) -> None:
        if self.dtypes[i].kind == "c":
            g = g.copy()
            g[1::2] *= -1
        super().one(i, g)
