"""Moments of the wrong thing, with the wrong weights, or from the wrong start."""

from __future__ import annotations

from typing import Any

import numpy as np
from adams import Adam, AdamW, Optax, TimmNAdam, Uncorrected
from flat import A, F
from register import wrong


@wrong("moments hyperparameters", "MOM.1", like="blocks#1159")
class BetasSwapped(AdamW):
    """b1 for v and b2 for m, corrections too."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.b1, self.b2 = self.b2, self.b1


@wrong("moments", "MOM.2", like="Deeplink's AdamW")
class SecondByFirstBeta(AdamW):
    """v decays with b1."""

    def square(self, i: int, g: A) -> A:
        return (1 - self.b1) * g * g

    def second(self, v: A, square: A) -> A:
        return self.b1 * v + square


@wrong("moments", "MOM.1")
class FirstBySecondBeta(AdamW):
    """m decays with b2."""

    def first(self, m: A, g: A) -> A:
        return self.b2 * m + (1 - self.b2) * g


@wrong("moments", "MOM.1", like="convnetjs#107")
class BetasInverted(Adam):
    """(1-b)*m + b*g, and v likewise."""

    def first(self, m: A, g: A) -> A:
        return (1 - self.b1) * m + self.b1 * g

    def square(self, i: int, g: A) -> A:
        return self.b2 * g * g

    def second(self, v: A, square: A) -> A:
        return (1 - self.b2) * v + square


@wrong("moments", "MOM.1")
class FirstUnweighted(AdamW):
    """b1*m + g."""

    def first(self, m: A, g: A) -> A:
        return self.b1 * m + g


@wrong("moments", "MOM.2")
class SecondUnweighted(AdamW):
    """b2*v + g*g."""

    def square(self, i: int, g: A) -> A:
        return g * g


@wrong("moments", "MOM.2")
class SecondOfModulus(AdamW):
    """v averages |g|."""

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) * np.abs(g)


@wrong("moments", "MOM.2")
class SecondOfGradient(AdamW):
    """v averages g."""

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) * g


@wrong("moments", "MOM.2")
class SecondOfFirst(AdamW):
    """v averages m*m."""

    def one(self, i: int, g: A) -> None:
        self.now = i
        super().one(i, g)

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) * self.m[i] * self.m[i]


@wrong("moments", "MOM.2")
class SecondOfProduct(AdamW):
    """v averages |g*m|."""

    def square(self, i: int, g: A) -> A:
        product: A = np.abs(g * self.m[i])
        return (1 - self.b2) * product


@wrong("moments", "MOM.2")
class SecondSquaredWeight(AdamW):
    """((1-b2)*g)**2."""

    def square(self, i: int, g: A) -> A:
        return ((1 - self.b2) * g) ** 2


@wrong("moments", "MOM.1")
class FirstAdds(AdamW):
    """m never decays."""

    def first(self, m: A, g: A) -> A:
        return m + (1 - self.b1) * g


@wrong("moments", "MOM.2")
class SecondAdds(AdamW):
    """v never decays."""

    def second(self, v: A, square: A) -> A:
        return v + square


@wrong("moments", "MOM.1")
class FirstLate(AdamW):
    """The step uses m as it was before the gradient came in."""

    def one(self, i: int, g: A) -> None:
        self.before = self.m[i]
        super().one(i, g)

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.before / c1


@wrong("moments", "MOM.2")
class SecondLate(Adam):
    """The step uses v as it was before the gradient came in, but for the first."""

    def one(self, i: int, g: A) -> None:
        self.before = self.v[i] if self.t[i] > 1 else None
        super().one(i, g)

    def denominator(self, v: A, c2: F) -> A:
        return super().denominator(v if self.before is None else self.before, c2)


@wrong("moments hyperparameters", "MOM.1")
class FirstIsGradient(AdamW):
    """No first moment: the gradient itself, uncorrected."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return g


@wrong("moments", "MOM.3")
class FirstStartsAtGradient(AdamW):
    """m starts at the first gradient."""

    def one(self, i: int, g: A) -> None:
        if self.t[i] == 1:
            self.m[i] = g.copy()
        super().one(i, g)


@wrong("moments", "MOM.3", like="debiasing by the first value")
class SecondStartsAtSquare(AdamW):
    """v starts at the first squared gradient."""

    def one(self, i: int, g: A) -> None:
        if self.t[i] == 1:
            self.v[i] = g * g
        super().one(i, g)


@wrong("moments", "MOM.3", like="Optimisers.jl AMSGrad")
class SecondStartsAtEpsilon(AdamW):
    """v starts at eps."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.v = [np.full_like(p, self.eps) for p in self.p]


@wrong("moments", "MOM.3")
class SecondStartsAtOne(Uncorrected):
    """v starts at 1."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.v = [np.ones_like(p) for p in self.p]


@wrong("moments", "MOM.3")
class FirstStartsAtParameter(Adam):
    """m starts at the parameter: a buffer made by copying."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.m = [p.copy() for p in self.p]


@wrong("moments state isolation", "STATE.1", like="tfjs#4290")
class MomentsByShape(AdamW):
    """Arrays of one shape share their moments."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.by_shape: dict[Any, tuple[A, A]] = {}

    def one(self, i: int, g: A) -> None:
        key = self.shapes[i]
        self.m[i], self.v[i] = self.by_shape.get(key, (self.m[i], self.v[i]))
        super().one(i, g)
        self.by_shape[key] = self.m[i], self.v[i]


@wrong("moments", "MOM.2", like="Adam-mini, Adafactor")
class SecondOfArray(AdamW):
    """One v for the whole array: the mean of its squares."""

    def square(self, i: int, g: A) -> A:
        square = super().square(i, g)
        return np.full_like(square, square.mean()) if square.size else square


@wrong("moments", "MOM.1")
class FirstOnlyInFirstArray(Optax):
    """m is kept for the first array alone; the others step along their gradient."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / c1 if i == 0 else g


@wrong("moments", "MOM.1")
class FirstWithoutCurrent(TimmNAdam):
    """m takes in the gradient twice."""

    def first(self, m: A, g: A) -> A:
        return super().first(super().first(m, g), g)


@wrong("moments", "STEP.1")
class StepHalved(AdamW):
    """lr/2."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr / 2 * u


@wrong("moments", "STEP.1")
class StepOfSign(AdamW):
    """The sign of the update for the update."""

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, np.sign(u))


@wrong("moments", "STEP.1")
class RootMissing(Adam):
    """m_hat/(v_hat + eps): the root forgotten."""

    def denominator(self, v: A, c2: F) -> A:
        return v / c2 + self.eps


@wrong("moments", "NUM.2")
class SquareFloored(AdamW):
    """v at least 1e-12."""

    def second(self, v: A, square: A) -> A:
        return np.maximum(super().second(v, square), 1e-12).astype(v.dtype)
