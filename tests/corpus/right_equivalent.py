"""Adams that look wrong and are the same function of real numbers: a suite that fails them is wrong."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from adams import Adam, AdamW, AMSGrad, Stateless, Uncorrected
from flat import A, F
from register import equivalent


@equivalent("v does not see the sign, and decoupled decay is not negated")
class AscentOfDecoupledStep(Stateless):
    """maximize by adding the step instead of subtracting it."""

    dialect = "torch.AdamW"
    options: ClassVar[dict[str, str]] = {"maximize": "True"}

    def coupled(self, p: A, g: A) -> A:
        return g

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p + self.lr * u


@equivalent("two signs cancel")
class FirstNegated(Adam):
    """m of the negated gradient, and steps added."""

    def first(self, m: A, g: A) -> A:
        return self.b1 * m - (1 - self.b1) * g

    def apply(self, i: int, p: A, u: A) -> A:
        return p + self.lr * u

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return state | {"m": [-m for m in state["m"]]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state | {"m": [-m for m in state["m"]]})


@equivalent("without correction v and v_hat are the same", claim="paper.AMSGrad")
class MaximumOfCorrected(Uncorrected):
    """The maximum over v/c2 where the claim is over v."""

    def coupled(self, p: A, g: A) -> A:
        return g + self.wd * p

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], v / c2)
        return self.top[i], 1.0

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * u


@equivalent("below half an ULP of 1 the power is lost in 1-b**t")
class CorrectionDropped(AdamW):
    """No correction once b**t is below 2**-55."""

    def correction(self, t: int) -> tuple[F, F]:
        c1, c2 = super().correction(t)
        return 1.0 if self.b1**t < 2**-55 else c1, 1.0 if self.b2**t < 2**-55 else c2


@equivalent("a product with 0 adds nothing")
class DecayBranch(Adam):
    """L2 skipped where weight_decay is 0."""

    def coupled(self, p: A, g: A) -> A:
        return g + self.wd * p if self.wd else g


@equivalent("with no gradient, no moments and no decay nothing moves")
class NothingSkipped(AdamW):
    """A zero gradient is skipped while the moments are 0 and there is no decay; the clock ticks."""

    def one(self, i: int, g: A) -> None:
        if self.wd or g.any() or self.m[i].any() or self.v[i].any():
            super().one(i, g)


@equivalent("two exchanges cancel")
class BetasExchanged(AdamW):
    """b1 and b2 exchanged in the constructor, and again wherever they are used."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.b1, self.b2 = self.b2, self.b1

    def first(self, m: A, g: A) -> A:
        return self.b2 * m + (1 - self.b2) * g

    def square(self, i: int, g: A) -> A:
        return (1 - self.b1) * g * g

    def second(self, v: A, square: A) -> A:
        return self.b1 * v + square

    def correction(self, t: int) -> tuple[F, F]:
        return 1 - self.b2**t, 1 - self.b1**t


@equivalent("v is never below 0; the maximum keeps NaN")
class SecondNotNegative(AdamW):
    """max(v, 0)."""

    def second(self, v: A, square: A) -> A:
        return np.maximum(super().second(v, square), 0)


@equivalent("|g|*|g| is g*g")
class SecondOfModuli(AdamW):
    """v of the gradient's absolute value, squared."""

    def square(self, i: int, g: A) -> A:
        return (1 - self.b2) * np.abs(g) * np.abs(g)


@equivalent("v_max is at least v")
class MaximumTwice(AMSGrad):
    """The maximum with v taken once more after the fact."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        top, c2 = super().peak(i, v, c2)
        return np.maximum(top, v), c2


@equivalent("b**-(-t) is b**t")
class ClockDownwards(AdamW):
    """A clock that counts down from 0."""

    def correction(self, t: int) -> tuple[F, F]:
        return super().correction(abs(-t))


@equivalent("eps is never below 0")
class EpsilonModulus(Adam):
    """|eps|."""

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v / c2) + abs(self.eps)


@equivalent("what is added on load was taken off on save")
class ClockFromTwo(AdamW):
    """A clock that starts at 1, ticks before use, and is taken less 1."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.t = [1 for _ in params]

    def time(self, i: int) -> int:
        return self.t[i] - 1

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"t": [t - 1 for t in self.t]}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state | {"t": [t + 1 for t in state["t"]]})
