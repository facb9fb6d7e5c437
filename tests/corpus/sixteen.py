"""Adam with parameters of 16 bits in NumPy, one small method for each rule, as people write it.

It shares nothing with adamcore: it is written from docs/spec.md.  Arithmetic is in float32; parameters and
moments are kept in 16 bits (bfloat16 is that of ml_dtypes).  A class keeps its parameter as the policy in its
options says.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from flat import A, F

f32 = np.float32


class Sixteen:
    """AdamW that rounds each of p, m and v once."""

    dialect: ClassVar[str] = "torch.AdamW"
    options: ClassVar[dict[str, str]] = {}
    dtypes: ClassVar[tuple[str, ...]] = ("bfloat16",)  #: those in which it is scored
    complex: ClassVar[bool] = False

    def __init__(self, **options: object) -> None:
        """Options choose the claim; the class follows it without them."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        self.narrow: Any = params[0].dtype
        self.take(hyper)
        self.p = [np.array(p) for p in params]
        self.m = [np.zeros(p.shape, self.narrow) for p in params]
        self.v = [np.zeros(p.shape, self.narrow) for p in params]
        self.t: list[Any] = [0 for _ in params]
        self.rest: list[A] = [self.first_rest(p) for p in self.p]

    def take(self, hyper: dict[str, float]) -> None:
        self.lr, self.b1, self.b2 = hyper["lr"], hyper["b1"], hyper["b2"]
        self.eps, self.wd = hyper["eps"], hyper["weight_decay"]

    def set_lr(self, lr: F) -> None:
        self.lr = lr

    def get_state(self) -> dict[str, Any]:
        state = {"t": [int(t) for t in self.t], "m": copies(self.m), "v": copies(self.v)}
        return state | ({"p_rest": copies(self.rest)} if self.shows_rest else {})

    def set_state(self, state: dict[str, Any]) -> None:
        self.t, self.m, self.v = list(state["t"]), copies(state["m"]), copies(state["v"])
        self.rest = copies(state.get("p_rest", self.rest))

    shows_rest = False

    def step(self, grads: list[A | None]) -> list[A]:
        for i, g in enumerate(grads):
            if g is not None:
                self.t[i] = self.t[i] + 1
                with np.errstate(all="ignore"):
                    self.one(i, self.gradient(g))
        return copies(self.p)

    def one(self, i: int, g: A) -> None:
        x, t = self.load(i), self.time(i)
        m = self.first(self.m[i].astype(f32), g)
        v = self.second(self.v[i].astype(f32), g)
        c1, c2 = self.correction(t)
        x = self.apply(x, self.quotient(m, v, c1, c2))
        self.m[i], self.v[i] = self.keep_first(m), self.keep_second(v)
        self.store(i, x)

    def gradient(self, g: A) -> A:
        return g.astype(f32)

    def time(self, i: int) -> int:  # CLK.2
        return int(self.t[i])

    def first(self, m: A, g: A) -> A:  # MOM.1
        return f32(self.b1) * m + f32(1 - self.b1) * g

    def second(self, v: A, g: A) -> A:  # MOM.2
        return f32(self.b2) * v + f32(1 - self.b2) * g * g

    def correction(self, t: int) -> tuple[F, F]:  # BC.1
        return 1 - self.b1**t, 1 - self.b2**t

    def denominator(self, v: A, c2: F) -> A:  # EPS.1
        return np.sqrt(v) / f32(math.sqrt(c2)) + f32(self.eps)

    def quotient(self, m: A, v: A, c1: F, c2: F) -> A:
        return f32(1 / c1) * m / self.denominator(v, c2)

    def apply(self, x: A, u: A) -> A:  # DEC.2, STEP.1
        return x * f32(1 - self.lr * self.wd) - f32(self.lr) * u

    def keep_first(self, m: A) -> A:  # MOM.4
        return m.astype(self.narrow)

    def keep_second(self, v: A) -> A:
        return v.astype(self.narrow)

    # How the parameter is kept

    def first_rest(self, p: A) -> A:
        return np.zeros(p.shape, f32)

    def load(self, i: int) -> A:
        return self.p[i].astype(f32)

    def store(self, i: int, x: A) -> None:  # NUM.1
        self.p[i] = x.astype(self.narrow)


class Master(Sixteen):
    """A float32 copy in the state (STORE.2)."""

    options: ClassVar[dict[str, str]] = {"p_storage": "master"}
    shows_rest = True

    def first_rest(self, p: A) -> A:
        return p.astype(f32)

    def load(self, i: int) -> A:
        return self.rest[i]

    def store(self, i: int, x: A) -> None:
        self.rest[i], self.p[i] = x, x.astype(self.narrow)


class Split(Sixteen):
    """The 16 bits that p lost, in the state (STORE.3)."""

    options: ClassVar[dict[str, str]] = {"p_storage": "split"}
    shows_rest = True
    bits: ClassVar[Any] = np.int16
    unit: ClassVar[int] = 1

    def first_rest(self, p: A) -> A:
        return np.zeros(p.shape, self.bits)

    def load(self, i: int) -> A:
        return numbers(words(self.p[i].astype(f32)) + self.rest[i].astype(np.int64) * self.unit)

    def whole(self, x: A) -> A:
        return words(x)

    def store(self, i: int, x: A) -> None:
        w = self.whole(x)
        upper = (w + 0x8000) & 0xFFFF0000
        self.p[i], self.rest[i] = (
            numbers(upper).astype(self.narrow),
            ((w - upper) // self.unit).astype(self.bits),
        )


class Split8(Split):
    """The 8 bits after those of p, rounded (STORE.4)."""

    options: ClassVar[dict[str, str]] = {"p_storage": "split8"}
    bits = np.int8
    unit = 256

    def whole(self, x: A) -> A:
        w = words(x)
        return (w + 0x7F + ((w >> 8) & 1)) & 0xFFFFFF00


class Kahan(Sixteen):
    """What p lost, in p's dtype (STORE.5)."""

    options: ClassVar[dict[str, str]] = {"p_storage": "kahan"}
    shows_rest = True

    def first_rest(self, p: A) -> A:
        return np.zeros_like(p)

    def load(self, i: int) -> A:
        return self.p[i].astype(f32) + self.rest[i].astype(f32)

    def store(self, i: int, x: A) -> None:
        self.p[i] = x.astype(self.narrow)
        self.rest[i] = (x - self.p[i].astype(f32)).astype(self.narrow)


class Stochastic(Sixteen):
    """Random bits added below p's last one, and then cut off (STORE.6)."""

    options: ClassVar[dict[str, str]] = {"p_storage": "stochastic"}

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.random = np.random.default_rng(14)

    def noise(self, i: int, shape: tuple[int, ...]) -> Any:
        """Return 16 random bits for each element."""
        return self.random.integers(0, 1 << 16, shape, dtype=np.int64)

    def store(self, i: int, x: A) -> None:
        w = words(x) + self.noise(i, x.shape)
        self.p[i] = numbers(w & 0xFFFF0000).astype(self.narrow)


class RandomMoments(Sixteen):
    """Random bits added below the last one of m and of v, and then cut off (STORE.16)."""

    options: ClassVar[dict[str, str]] = {"m_storage": "stochastic", "v_storage": "stochastic"}

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.random = np.random.default_rng(16)

    def one(self, i: int, g: A) -> None:
        self.at = i  # the parameter that is stepped
        super().one(i, g)

    def noise_of(self, part: str, shape: tuple[int, ...]) -> Any:
        """Return 16 random bits for each element of "m" or "v"."""
        return self.random.integers(0, 1 << 16, shape, dtype=np.int64)

    def at_random(self, part: str, x: A) -> A:
        w = words(x.astype(f32)) + self.noise_of(part, x.shape)
        return numbers(w & 0xFFFF0000).astype(self.narrow)

    def keep_first(self, m: A) -> A:
        return self.at_random("m", m)

    def keep_second(self, v: A) -> A:
        return self.at_random("v", v)


def copies(arrays: list[A]) -> list[A]:
    return [np.array(a) for a in arrays]


def words(x: A) -> A:
    return np.asarray(x, f32).view(np.uint32).astype(np.int64)


def numbers(w: A) -> A:
    return np.asarray(w & 0xFFFFFFFF).astype(np.uint32).view(f32)


def to_zero(x: A, dtype: Any) -> A:
    """Round towards 0."""
    kept: A = x.astype(dtype)
    if dtype.name == "bfloat16":
        return numbers(words(x) & 0xFFFF0000).astype(dtype)
    over = np.abs(kept.astype(f32)) > np.abs(x)
    return np.where(over, np.nextafter(kept, np.asarray(0, kept.dtype)), kept)
