"""Right Adams in wider arithmetic, with coefficients formed otherwise, and on other claims."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from adams import Adam, AdamW, AMSGrad, Keras, NAdam, Optax, OptaxAMSGrad, OptaxNAdam, Stateless, TimmNAdam
from flat import A, F
from register import right


class Wider(AdamW):
    """Arithmetic in ``wide``, rounded once on store."""

    wide: ClassVar[Any] = np.longdouble

    def one(self, i: int, g: A) -> None:
        narrow = g.dtype
        for arrays in (self.p, self.m, self.v, self.top):
            arrays[i] = arrays[i].astype(self.wide)
        super().one(i, g.astype(self.wide))
        for arrays in (self.p, self.m, self.v, self.top):
            arrays[i] = arrays[i].astype(narrow)


@right()
class ExtendedInside(Wider):
    """Arithmetic in extended precision, rounded once on store."""


@right()
class DoubleInside(Wider):
    """Arithmetic in float64, rounded once on store."""

    wide = np.float64


@right()
class FusedMultiplyAdd(AdamW):
    """Moments and step by multiply-adds that round once."""

    def fma(self, a: F, x: A, y: A) -> A:
        wide = np.float64 if x.dtype == np.float32 else np.longdouble
        once: A = x.dtype.type(a).astype(wide) * x.astype(wide) + y.astype(wide)
        return once.astype(x.dtype)

    def first(self, m: A, g: A) -> A:
        return self.fma(1 - self.b1, g, self.b1 * m)

    def second(self, v: A, square: A) -> A:
        return self.fma(self.b2, v, square)

    def apply(self, i: int, p: A, u: A) -> A:
        return self.fma(-self.lr, u, self.fma(-self.lr * self.wd, p, p))


@right()
class CorrectionByExpm1(AdamW):
    """-expm1(t*log(b)), better than 1-b**t."""

    def correction(self, t: int) -> tuple[F, F]:
        return tuple(-float(np.expm1(t * np.log(np.float64(b)))) for b in (self.b1, self.b2))  # type: ignore[return-value]


@right(claim="paddle.AdamW")
class CorrectionByProduct(AdamW):
    """Running products in the parameter's dtype, as its claim says."""

    set_hyper = None  # type: ignore[assignment]

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.products = [(p.dtype.type(1), p.dtype.type(1)) for p in self.p]

    def one(self, i: int, g: A) -> None:
        a, b = self.products[i]
        self.products[i] = a * a.dtype.type(self.b1), b * b.dtype.type(self.b2)
        self.now = tuple(float(1 - x) for x in self.products[i])
        super().one(i, g)

    def correction(self, t: int) -> tuple[F, F]:
        return self.now[0], self.now[1]

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"products": list(self.products)}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        powers = [
            (p.dtype.type(self.b1**t), p.dtype.type(self.b2**t)) for t, p in zip(self.t, self.p, strict=True)
        ]
        self.products = list(state.get("products", powers))


@right(claim="torchao.AdamW")
class CorrectionInWorking(AdamW):
    """1-b**t formed in the parameter's dtype, as its claim says."""

    def one(self, i: int, g: A) -> None:
        self.type = g.dtype.type
        super().one(i, g)

    def correction(self, t: int) -> tuple[F, F]:
        f = self.type
        return float(1 - f(self.b1) ** f(t)), float(1 - f(self.b2) ** f(t))


@right()
class RootByPower(AdamW):
    """v**0.5 for the root."""

    def denominator(self, v: A, c2: F) -> A:
        root: A = np.power(v / c2, v.dtype.type(0.5))
        return root + self.eps


@right()
class AmsgradByWhere(AMSGrad):
    """The maximum as a choice."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.where(self.top[i] > v, self.top[i], v)
        return self.top[i], c2


@right()
class AmsgradOfRoots(Stateless):
    """The maximum over sqrt(v): the root keeps the order."""

    options: ClassVar[dict[str, str]] = {"amsgrad": "True"}

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], np.sqrt(v))
        return self.top[i], c2

    def denominator(self, v: A, c2: F) -> A:
        return v / math.sqrt(c2) + self.eps


@right()
class AmsgradByReciprocal(OptaxAMSGrad):
    """The corrected v by a reciprocal."""

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:
        self.top[i] = np.maximum(self.top[i], v * (1 / c2))
        return self.top[i], 1.0


class HatFolded(Keras):
    """lr*sqrt(c2)/c1 * m/(sqrt(v) + eps): the efficient form of the paper."""

    def one(self, i: int, g: A) -> None:
        c1, c2 = self.correction(self.t[i])
        self.rate = self.lr * math.sqrt(c2) / c1
        super().one(i, g)

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v) + self.eps

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.rate * u


@right()
class EpsilonHatFolded(HatFolded):
    """The efficient form, lr*sqrt(c2)/c1 times m/(sqrt(v) + eps)."""


@right(claim="mxnet.AdamW")
class DecayByFoldedRate(HatFolded):
    """The efficient form, its rate for the decay too: what this claim means by decay."""

    def advance(self, grads: list[A | None]) -> None:
        Adam.advance(self, grads)

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.rate * (u + self.wd * p)


@right()
class NadamTwoSteps(NAdam):
    """Gradient and momentum stepped one after the other, as torch does."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        mu, self.after = self.mu_of(self.time(i)), self.mu_of(self.time(i) + 1)
        self.mu[i] *= mu
        self.terms = (
            -self.lr * (1 - mu) / (1 - self.mu[i]),
            -self.lr * self.after / (1 - self.mu[i] * self.after),
        )
        self.parts = g, m
        return np.ones_like(m)

    def apply(self, i: int, p: A, u: A) -> A:
        (a, b), (g, m) = self.terms, self.parts
        return p + a * (g * u) + b * (m * u)


@right()
class NadamProductAnew(NAdam):
    """The product of the momentum schedule formed from 1 in every step, so that no beta can be another."""

    set_hyper = None  # type: ignore[assignment]

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        t = self.time(i)
        now = float(np.prod([self.mu_of(k) for k in range(1, t + 1)]))
        mu, after = self.mu_of(t), self.mu_of(t + 1)
        return after / (1 - now * after) * m + (1 - mu) / (1 - now) * g


@right()
class NadamCorrectedSeparately(OptaxNAdam):
    """Two corrected averages added up."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / (1 - self.b1 ** (self.time(i) + 1)) * self.b1 + g / c1 * (1 - self.b1)


@right()
class NadamByLookAhead(TimmNAdam):
    """The moment updated a second time with the same gradient, then corrected."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return self.first(m, g) / c1


@right()
class ComplexNative(Optax):
    """Complex gradients as complex numbers, v of their modulus."""

    def one(self, i: int, g: A) -> None:
        if self.dtypes[i].kind != "c":
            super().one(i, g)
            return
        g, m, v = g.view(self.dtypes[i]), self.m[i].view(self.dtypes[i]), self.v[i][::2]
        m = self.b1 * m + (1 - self.b1) * g
        v = self.b2 * v + (1 - self.b2) * (g.real * g.real + g.imag * g.imag)
        c1, c2 = self.correction(self.t[i])
        u = (m / c1 / self.denominator(v, c2)).view(v.dtype)
        self.m[i], self.v[i] = m.view(v.dtype), v.repeat(2)
        self.p[i] = self.apply(i, self.p[i], u)
