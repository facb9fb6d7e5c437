"""The other half of the wrong Adams held out; see held_out_wrong.py."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from adams import Adam, AdamW, AMSGrad, Keras, Late, NAdam, Optax, OptaxNAdam, TimmNAdam, Uncorrected
from flat import A, F, reals
from register import wrong

# Isolation


@wrong("isolation", "STATE.3", like="LiyuanLucasLiu/RAdam#36")
class CachedByStep(AdamW):
    """The corrections are cached by t alone, for every optimizer whatever its betas."""

    cache: ClassVar[dict[int, tuple[F, F]]] = {}

    def correction(self, t: int) -> tuple[F, F]:
        return self.cache.setdefault(t, super().correction(t))


@wrong("isolation", "STATE.3", like="an attribute of the class written through cls")
class SharedRate(Adam):
    """The learning rate is the class', so that the last optimizer made or changed sets it for all."""

    rate: ClassVar[float] = 0.0

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.set_lr(hyper["lr"])

    def set_lr(self, lr: F) -> None:
        type(self).rate = lr

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.rate * u


# Layout


@wrong("layout", "STEP.1", like="ravel in memory's order")
class MemoryOrder(AdamW):
    """A gradient is read as it lies in memory, whatever its strides say."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return [None if g is None else reals(g.ravel("K")) for g in grads]


@wrong("layout", "STEP.1", like="a vector loop whose last block overlaps the one before")
class OverlappingTail(Adam):
    """Blocks of 8, the last one moved back to fit: what it overlaps is updated twice."""

    def one(self, i: int, g: A) -> None:
        super().one(i, g)
        if g.size > 8 and g.size % 8:
            again = slice(g.size - 8, g.size - g.size % 8)
            whole = self.p[i], self.m[i], self.v[i]
            self.p[i], self.m[i], self.v[i] = (a[again].copy() for a in whole)
            super().one(i, g[again])
            for a, part in zip(whole, (self.p[i], self.m[i], self.v[i]), strict=True):
                a[again] = part
            self.p[i], self.m[i], self.v[i] = whole


# Clipping


@wrong("clipping", "STEP.1", like="StableAdamW, Adafactor")
class UpdateClipped(TimmNAdam):
    """An update whose root mean square is above 1 is scaled down to 1."""

    def apply(self, i: int, p: A, u: A) -> A:
        size = float(np.sqrt(np.mean(np.square(u, dtype=np.float64)))) if u.size else 0.0
        return super().apply(i, p, u / size if size > 1 else u)


@wrong("clipping", "MOM.1", like="adaptive gradient clipping, on by default")
class AdaptiveClipping(Uncorrected):
    """A gradient longer than a tenth of its array is cut to that."""

    def coupled(self, p: A, g: A) -> A:
        size = float(np.linalg.norm(g.astype(np.float64)))
        most = 0.1 * max(float(np.linalg.norm(p.astype(np.float64))), 1e-3)
        return g * (most / size) if size > most else g


# Schedule


@wrong("schedule", "LR.1", like="the decay argument of old Keras, not 0 by default")
class HiddenSchedule(Keras):
    """The learning rate falls by itself, as 1/(1 + 0.01*(t-1))."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m / c1 / (1 + 0.01 * (self.time(i) - 1))


@wrong("schedule decay", "DEC.2", like="lr*weight_decay formed once, in the constructor")
class DecayAtFirstRate(Late):
    """The decay goes on with the first learning rate when that is changed."""

    def take(self, hyper: dict[str, float]) -> None:
        super().take(hyper)
        self.shrink = hyper["lr"] * hyper["weight_decay"]

    def apply(self, i: int, p: A, u: A) -> A:
        p = p - self.lr * u
        return p - self.shrink * p


# Coefficients


@wrong("coefficients", "NUM.4", like="powf by exp and log in a kernel")
class PowerByLogs(AdamW):
    """1-b**t is formed by float32's exp and log."""

    def correction(self, t: int) -> tuple[F, F]:
        logs = np.log(np.array([self.b1, self.b2], np.float32))
        c1, c2 = 1 - np.exp(np.float32(t) * logs)
        return float(c1), float(c2)


@wrong("coefficients mixed_precision", "NUM.4", like="tt-metal#55935")
class HalfWeight(Adam):
    """1-b2 is rounded to float16 where it weighs the square, and nowhere else."""

    def square(self, i: int, g: A) -> A:
        return float(np.float16(1 - self.b2)) * g * g


# Mixed precision


@wrong("mixed_precision moments", "MOM.4", like="mu_dtype=bfloat16 that nobody asked for")
class ShortMomentum(AdamW):
    """The first moment is kept in bfloat16, by truncation."""

    def first(self, m: A, g: A) -> A:
        wide = super().first(m, g)
        return (wide.astype(np.float32).view(np.uint32) >> 16 << 16).view(np.float32).astype(wide.dtype)


@wrong("mixed_precision", "NUM.1", like="a kernel with float for double")
class SingleUpdate(Adam):
    """The update is applied in float32, to float64 parameters too."""

    def apply(self, i: int, p: A, u: A) -> A:
        return super().apply(i, p.astype(np.float32), u.astype(np.float32)).astype(p.dtype)


# AMSGrad


@wrong("amsgrad moments", "AMS.1", like="v = maximum(v, new)")
class MaximumIsMoment(AMSGrad):
    """The maximum is written into the second moment itself, and averaged on from there."""

    def second(self, v: A, square: A) -> A:
        return np.maximum(v, super().second(v, square))


@wrong("amsgrad moments", "MOM.3", like="Optimisers.jl")
class MaximumStartsAtEps(AMSGrad):
    """The maximum starts at eps, which is large beside the square of a small gradient."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.top = [top + top.dtype.type(self.eps) for top in self.top]


# Nesterov


@wrong("nesterov", "NES.1")
class NoLookAhead(NAdam):
    """The momentum is weighed by this step's mu where the next one's is due."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        mu = self.mu_of(self.time(i))
        self.mu[i] *= mu
        return mu / (1 - self.mu[i] * mu) * m + (1 - mu) / (1 - self.mu[i]) * g


@wrong("nesterov", "NES.2")
class BothLookAhead(OptaxNAdam):
    """The gradient too is corrected for the step to come."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        after = 1 - self.b1 ** (self.time(i) + 1)
        return self.b1 / after * m + (1 - self.b1) / after * g


# Maximize and complex


@wrong("maximize decay", "MAX.1", options={"maximize": "True"})
class AscendsWithDecay(AdamW):
    """To maximize, the whole step is turned round, the decay with it."""

    def apply(self, i: int, p: A, u: A) -> A:
        return p + self.lr * (u + self.wd * p)


@wrong("complex", "CPX.2")
class MeanModulus(Optax):
    """The square of a complex gradient is the mean of its parts' squares where their sum is due."""

    def square(self, i: int, g: A) -> A:
        square = super().square(i, g)
        return square / 2 if self.dtypes[i].kind == "c" else square
