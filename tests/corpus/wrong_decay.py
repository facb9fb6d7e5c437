"""Weight decay of another kind, in another place, or of something else."""

from __future__ import annotations

import math

import numpy as np
from adams import Adam, AdamW, Ascent, Late, Uncorrected, Unscaled
from flat import A, F
from register import wrong


@wrong("decay", "DEC.2", like="bitsandbytes.AdamW against Adam")
class DecayCoupled(AdamW):
    """L2 where the claim is decoupled."""

    def coupled(self, p: A, g: A) -> A:
        return g + self.wd * p

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * u


@wrong("decay", "DEC.1", like="apex.FusedAdam")
class DecayDecoupled(Adam):
    """Decoupled where the claim is L2."""

    def coupled(self, p: A, g: A) -> A:
        return g

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr * u


@wrong("decay", "DEC.2", like="pytorch#38853")
class DecayUnscaled(AdamW):
    """wd*p, not times lr."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.wd * p - self.lr * u


@wrong("decay", "DEC.3")
class DecayScaled(Unscaled):
    """lr*wd*p where the claim is wd*p."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr * u


@wrong("decay", "DEC.2", like="oneflow#3501")
class DecayCorrected(AdamW):
    """Times the bias-corrected lr."""

    def apply(self, i: int, p: A, u: A) -> A:
        c1, c2 = self.correction(self.time(i))
        return p - self.lr * math.sqrt(c2) / c1 * self.wd * p - self.lr * u


@wrong("decay", "DEC.5", like="bitsandbytes#2010")
class DecayAfter(AdamW):
    """Of the updated parameter."""

    def apply(self, i: int, p: A, u: A) -> A:
        p = p - self.lr * u
        return p - self.lr * self.wd * p


@wrong("decay", "DEC.5", like="transformers#35504")
class DecayBefore(Late):
    """Of the old parameter where the claim is the updated one."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr * u


@wrong("decay hyperparameters", "DEC.2", like="deepspeed#5214")
class DecayIgnored(AdamW):
    """weight_decay accepted and not used."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * u


@wrong("decay hyperparameters", "DEC.1", like="Paddle#5836")
class DecayIgnoredL2(Adam):
    """weight_decay accepted and not used, under L2."""

    def coupled(self, p: A, g: A) -> A:
        return g


@wrong("decay", "DEC.2")
class DecayTwice(AdamW):
    """In the gradient and decoupled."""

    def coupled(self, p: A, g: A) -> A:
        return g + self.wd * p


@wrong("decay", "DEC.2")
class DecayGrowth(AdamW):
    """With the wrong sign: parameters grow."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p + self.lr * self.wd * p - self.lr * u


@wrong("decay", "DEC.1")
class DecayGrowthL2(Adam):
    """g - wd*p."""

    def coupled(self, p: A, g: A) -> A:
        return g - self.wd * p


@wrong("decay", "DEC.2")
class DecayTimesLrSquared(AdamW):
    """lr**2*wd*p: multiplied before and once more with the step."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * (u + self.lr * self.wd * p)


@wrong("decay", "DEC.2", like="nanoGPT's groups, built in")
class DecayMatricesOnly(AdamW):
    """Only arrays of two and more dimensions decay."""

    def apply(self, i: int, p: A, u: A) -> A:
        if len(self.shapes[i]) < 2:
            return p - self.lr * u
        return super().apply(i, p, u)


@wrong("decay", "DEC.1")
class DecayNoScalars(Adam):
    """0-d arrays do not decay."""

    def one(self, i: int, g: A) -> None:
        wd, self.wd = self.wd, self.wd if self.shapes[i] else 0.0
        super().one(i, g)
        self.wd = wd


@wrong("decay schedule", "DEC.2")
class DecayOfInitialLr(AdamW):
    """The decay keeps the lr it was made with."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr0 = self.lr

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr0 * self.wd * p - self.lr * u


@wrong("decay", "DEC.2", like="AdamWR with a schedule multiplier")
class DecayOfRelativeLr(AdamW):
    """Times lr**2 over the initial lr."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr0 = self.lr

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.lr / self.lr0 * self.wd * p - self.lr * u


@wrong("decay", "DEC.1")
class DecayInFirstOnly(Adam):
    """L2 enters m, not v."""

    def square(self, i: int, g: A) -> A:
        return super().square(i, g - self.wd * self.p[i])


@wrong("decay", "DEC.1")
class DecayInSecondOnly(Adam):
    """L2 enters v, not m."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        self.m[i] = m - (1 - self.b1) * self.wd * self.p[i]
        return self.m[i] / c1


@wrong("decay", "DEC.2", like="pytorch#3740")
class DecayBesideQuotient(Adam):
    """wd*p added to m after its update, so that the denominator divides it."""

    def coupled(self, p: A, g: A) -> A:
        return g

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / c1 + self.wd * self.p[i]


@wrong("decay", "DEC.2", like="cautious weight decay")
class DecayCautious(AdamW):
    """Only where the step has the parameter's sign."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * np.where(u * p > 0, p, 0) - self.lr * u


@wrong("decay", "DEC.2")
class DecayOfSign(AdamW):
    """lr*wd*sign(p): L1."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * np.sign(p) - self.lr * u


@wrong("decay", "DEC.2", like="L2-SP")
class DecayToStart(AdamW):
    """Towards the initial parameters."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.p0 = [p.copy() for p in self.p]

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * (p - self.p0[i]) - self.lr * u


@wrong("decay", "DEC.2")
class DecayNotInFirstStep(AdamW):
    """From the second step on."""

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p, u) if self.t[i] > 1 else p - self.lr * u


@wrong("decay", "DEC.1")
class DecayHalved(Adam):
    """The gradient of wd/2*p**2 taken as wd/2*p."""

    def coupled(self, p: A, g: A) -> A:
        return g + self.wd / 2 * p


@wrong("decay hyperparameters", "DEC.2")
class DecayConstant(Uncorrected):
    """0.01 whatever weight_decay is."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * 0.01 * p - self.lr * u


@wrong("decay", "DEC.1")
class DecayOfNext(Adam):
    """L2 with what the parameter was one step before."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.old = [p.copy() for p in self.p]

    def coupled(self, p: A, g: A) -> A:
        return g + self.wd * next(q for q, now in zip(self.old, self.p, strict=True) if now is p)

    def apply(self, i: int, p: A, u: A) -> A:
        self.old[i] = p
        return super().apply(i, p, u)


@wrong("maximize decay", "MAX.1")
class DecayNegatedToo(Ascent):
    """Negated after L2 was added: decay pushes away from zero."""

    def coupled(self, p: A, g: A) -> A:
        return g - self.wd * p


@wrong("decay", "DEC.2")
class DecayExponential(AdamW):
    """exp(-lr*wd) for 1 - lr*wd."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p * float(np.exp(-self.lr * self.wd)) - self.lr * u
