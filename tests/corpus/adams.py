"""Adam in NumPy, one small method for each rule, so that a wrong Adam is one method overridden.

It shares nothing with adamcore: it is written from docs/spec.md, the way people write Adam.  Arrays
are kept flat and real (a complex array as pairs); scalars are Python floats, rounded once where
they meet an array.  Each class claims the dialect whose rules it follows.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from flat import A, F, reals, shaped


class Stateless:
    """Adam with L2; what it remembers cannot be saved."""

    dialect: ClassVar[str] = "torch.Adam"
    options: ClassVar[dict[str, str]] = {}  #: of the dialect, as --set takes them
    hyper: ClassVar[tuple[str, ...]] = ("lr", "b1", "b2", "eps", "weight_decay")
    complex: ClassVar[bool] = True

    def __init__(self, **options: object) -> None:
        """Options choose the claim; the class follows it without them."""

    hypers: list[dict[str, float]] = []  # noqa: RUF012 - of each parameter, where there are groups
    settings: dict[str, float]

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        self.settings = dict(hyper)
        self.take(hyper)
        self.shapes = [p.shape for p in params]
        self.dtypes = [p.dtype for p in params]
        self.p = [reals(p).copy() for p in params]
        self.m = [self.start(p) for p in self.p]
        self.v = [self.start(p) for p in self.p]
        self.top = [self.start(p) for p in self.p]
        self.t = [0 for _ in params]
        self.mu = [1.0 for _ in params]

    def take(self, hyper: dict[str, float]) -> None:
        self.lr, self.b1, self.b2 = hyper["lr"], hyper["b1"], hyper["b2"]
        self.eps, self.wd = hyper["eps"], hyper["weight_decay"]
        self.eps_root, self.md = hyper.get("eps_root", 0.0), hyper.get("momentum_decay", 4e-3)

    def init_groups(self, params: list[A], hypers: list[dict[str, float]]) -> None:  # LR.4
        self.init(params, hypers[0])
        self.hypers = hypers

    def set_hyper(self, hyper: dict[str, float]) -> None:  # LR.3
        lr, self.settings = self.lr, {**self.settings, **hyper}
        self.take(self.settings)
        self.lr = lr

    def start(self, p: A) -> A:  # MOM.3
        return np.zeros_like(p)

    def set_lr(self, lr: F) -> None:
        self.lr = lr
        self.hypers = [{**hyper, "lr": lr} for hyper in self.hypers]

    # One call

    def step(self, grads: list[A | None]) -> list[A]:
        self.advance(grads)
        for i, g in enumerate(self.gradients(grads)):
            if self.hypers:
                self.take(self.hypers[i])
            if g is None:
                self.absent(i)
            else:
                self.one(i, g)
        return [self.shaped(i) for i in range(len(self.p))]

    def advance(self, grads: list[A | None]) -> None:  # CLK.1
        for i, g in enumerate(grads):
            self.t[i] += g is not None

    def time(self, i: int) -> int:  # CLK.2
        return self.t[i]

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return [None if g is None else reals(g) for g in grads]

    def absent(self, i: int) -> None:  # F1
        pass

    def shaped(self, i: int) -> A:
        return shaped(self.p[i], self.dtypes[i], self.shapes[i]).copy()

    # One array

    def one(self, i: int, g: A) -> None:
        t = self.time(i)
        g = self.coupled(self.p[i], self.signed(g))
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], self.square(i, g))
        c1, c2 = self.correction(t)
        v, c2 = self.peak(i, v, c2)
        u = self.numerator(i, m, g, c1) / self.denominator(v, c2)
        self.p[i] = self.apply(i, self.p[i], u)

    def signed(self, g: A) -> A:  # MAX.1
        return g

    def coupled(self, p: A, g: A) -> A:  # DEC.1
        return g + self.wd * p

    def first(self, m: A, g: A) -> A:  # MOM.1
        return self.b1 * m + (1 - self.b1) * g

    def square(self, i: int, g: A) -> A:  # (1-b2)*g*g, in the order that does not overflow (NUM.3)
        return (1 - self.b2) * g * g

    def second(self, v: A, square: A) -> A:  # MOM.2
        return self.b2 * v + square

    def correction(self, t: int) -> tuple[F, F]:  # BC.1, BC.2
        return 1 - self.b1**t, 1 - self.b2**t

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:  # AMS
        return v, c2

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:  # NES
        return m / c1

    def denominator(self, v: A, c2: F) -> A:  # EPS.1
        return np.sqrt(v) / math.sqrt(c2) + self.eps

    def apply(self, i: int, p: A, u: A) -> A:  # STEP.1
        return p - self.lr * u


class Adam(Stateless):
    """Adam with L2, as torch.optim.Adam computes it."""

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"t": list(self.t), "mu_product": list(self.mu)}
        for name, arrays in self.arrays().items():
            rows = zip(arrays, self.dtypes, self.shapes, strict=True)
            state[name] = [shaped(a, dtype, shape).copy() for a, dtype, shape in rows]
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        self.t, self.mu = list(state["t"]), list(state.get("mu_product", self.mu))
        for name, arrays in self.arrays().items():
            arrays[:] = [reals(a).copy() for a in state[name]]

    def arrays(self) -> dict[str, list[A]]:
        return {"m": self.m, "v": self.v, "v_max": self.top}


class AdamW(Adam):
    """Decoupled decay, as torch.optim.AdamW."""

    dialect = "torch.AdamW"

    def coupled(self, p: A, g: A) -> A:
        return g

    def apply(self, i: int, p: A, u: A) -> A:  # DEC.2
        return p - self.lr * self.wd * p - self.lr * u


class AMSGrad(Adam):
    """The maximum over v, then corrected, as torch.optim.Adam(amsgrad=True)."""

    options: ClassVar[dict[str, str]] = {"amsgrad": "True"}

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:  # AMS.1
        self.top[i] = np.maximum(self.top[i], v)
        return self.top[i], c2


class Ascent(Adam):
    """Upwards, as torch.optim.Adam(maximize=True)."""

    options: ClassVar[dict[str, str]] = {"maximize": "True"}

    def signed(self, g: A) -> A:
        return -g


class NAdam(Adam):
    """Dozat's momentum schedule, as torch.optim.NAdam."""

    dialect = "torch.NAdam"
    hyper = (*Adam.hyper, "momentum_decay")

    def mu_of(self, t: int) -> F:
        return self.b1 * (1 - 0.5 * math.pow(0.96, t * self.md))

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:  # NES.1
        mu, after = self.mu_of(self.time(i)), self.mu_of(self.time(i) + 1)
        self.mu[i] *= mu
        return after / (1 - self.mu[i] * after) * m + (1 - mu) / (1 - self.mu[i]) * g

    def set_state(self, state: dict[str, Any]) -> None:
        known = [float(np.prod([self.mu_of(k) for k in range(1, t + 1)])) for t in state["t"]]
        super().set_state({"mu_product": known} | state)


class SharedClock:
    """One clock for all (a mixin): it ticks in every step."""

    t: list[int]

    def advance(self, grads: list[A | None]) -> None:  # F6
        self.t[:] = [t + 1 for t in self.t]


class Apex(SharedClock, AdamW):
    """One clock for the group, absent gradients skipped, as apex.FusedAdam."""

    dialect = "apex.FusedAdam"


class Keras(SharedClock, AdamW):
    """Epsilon on the uncorrected root, a global clock, as keras.optimizers.Adam."""

    dialect = "keras.Adam"

    def advance(self, grads: list[A | None]) -> None:
        if all(g is None for g in grads):  # CLK.4
            raise ValueError("no gradients for any variable")
        super().advance(grads)

    def denominator(self, v: A, c2: F) -> A:  # EPS.2
        return (np.sqrt(v) + self.eps) / math.sqrt(c2)


class Optax(SharedClock, AdamW):
    """A global clock, every gradient wanted, complex by modulus, eps_root, as optax.adamw."""

    dialect = "optax.adamw"
    hyper = (*Adam.hyper, "eps_root")

    def advance(self, grads: list[A | None]) -> None:
        if any(g is None for g in grads):  # F1, missing=error
            raise ValueError("a gradient is missing")
        super().advance(grads)

    def square(self, i: int, g: A) -> A:  # CPX.2
        square = super().square(i, g)
        return square.reshape(-1, 2).sum(1).repeat(2) if self.dtypes[i].kind == "c" else square

    def denominator(self, v: A, c2: F) -> A:  # EPS.5
        return np.sqrt(v / c2 + self.eps_root) + self.eps


class OptaxAMSGrad(Optax):
    """The maximum over the corrected v, as optax.amsgrad."""

    dialect = "optax.amsgrad"
    hyper = ("lr", "b1", "b2", "eps", "eps_root")

    def peak(self, i: int, v: A, c2: F) -> tuple[A, F]:  # AMS.2
        self.top[i] = np.maximum(self.top[i], v / c2)
        return self.top[i], 1.0


class OptaxNAdam(Optax):
    """Two corrections, for this step and the next, as optax.nadamw."""

    dialect = "optax.nadamw"

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:  # NES.2
        c1_after = 1 - self.b1 ** (self.time(i) + 1)
        return self.b1 / c1_after * m + (1 - self.b1) / c1 * g


class TimmNAdam(AdamW):
    """One correction for both terms, as timm.optim.NAdamW."""

    dialect = "timm.NAdamW"

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:  # NES.3
        return self.b1 / c1 * m + (1 - self.b1) / c1 * g


class Uncorrected(AdamW):
    """No bias correction, as BertAdam."""

    dialect = "BertAdam"

    def correction(self, t: int) -> tuple[F, F]:
        return 1.0, 1.0


class Unscaled(AdamW):
    """Decay not times lr, as in the AdamW paper."""

    dialect = "paper.AdamW"

    def apply(self, i: int, p: A, u: A) -> A:  # DEC.3
        return p - self.wd * p - self.lr * u


class Cautious(AdamW):
    """Decay where the step does not move the parameter away from 0, as in Cautious Weight Decay."""

    dialect = "paper.CautiousAdamW"

    def apply(self, i: int, p: A, u: A) -> A:  # DEC.6
        return p - self.lr * (u + self.wd * np.where(u * p >= 0, p, 0))


class Relative(AdamW):
    """Decay times lr over the first lr, as FlashOptim's decouple_lr."""

    dialect = "flashoptim.FlashAdamW"
    options: ClassVar[dict[str, str]] = {"decouple_lr": "True"}
    hyper = (*Adam.hyper, "lr_max")

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        self.lr_max = hyper["lr_max"]
        super().init(params, hyper)

    def fraction(self) -> F:  # DEC.7
        return self.lr / self.lr_max * self.wd

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.fraction() * p - self.lr * u


class Squared(Relative):
    """Decay times lr squared over the first lr, as timm's corrected_weight_decay."""

    dialect = "timm.AdamW"
    options: ClassVar[dict[str, str]] = {"corrected_weight_decay": "True"}

    def fraction(self) -> F:  # DEC.8
        return self.lr**2 / self.lr_max * self.wd


class Late(AdamW):
    """Decay of the updated parameter, as transformers 4's AdamW."""

    dialect = "transformers4.AdamW"

    def denominator(self, v: A, c2: F) -> A:
        return (np.sqrt(v) + self.eps) / math.sqrt(c2)

    def apply(self, i: int, p: A, u: A) -> A:  # DEC.5
        p = p - self.lr * u
        return p - self.lr * self.wd * p
