"""Wrong array candidates, each with one part that is not as AdamW has it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from measured_adams import Parts

from adamcore.conformance.types import FloatArray


class SlowFading(Parts):
    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return 0.95 * m + 0.2 * g


class StopsAfterTen(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t) if t <= 10 else (1.0, 1.0)


class DecaysTwice(Parts):
    def decay(self, p: FloatArray) -> FloatArray:
        return super().decay(super().decay(p))


class DecaysBySquare(Parts):
    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - self.lr**2 * self.h["weight_decay"])


class Centred(Parts):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return super().second(v, g - m, m)


class RoundedBeta(Parts):
    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"b1": float(ml_dtypes.bfloat16(hyper["b1"]))})


class UnderTheRoot(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(v + self.h["eps"]))


class ClockOfAByte(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(min(t, 256))


class DecaysAlways(Parts):
    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.p = [self.decay(p) if g is None else p for p, g in zip(self.p, grads, strict=True)]
        return super().step(grads)


class KeepsItsRate(Parts):
    def set_lr(self, lr: float) -> None:
        pass


class Clips(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, np.clip(g, -1.0, 1.0))


class OtherBeta(Parts):
    """b1 is a number in its code."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"b1": 0.9})


class Halved(Parts):
    def set_lr(self, lr: float) -> None:
        self.lr = 0.5 * lr

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr = 0.5 * hyper["lr"]
        self.h["weight_decay"] *= 2


class LosesTheLast(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        last = self.p[i].copy()
        super().one(i, g)
        if g.size > 1:
            self.p[i].flat[-1] = last.flat[-1]


class SkipsZeros(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        before = [x[i].copy() for x in (self.p, self.m, self.v)]
        super().one(i, g)
        for x, old in zip((self.p, self.m, self.v), before, strict=True):
            x[i] = np.where(g == 0, old, x[i])


class Climbs(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, -g)


class KeepsCorrected(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.m[i] = self.m[i] / self.correction(self.t[i])[0]


class CountsArrays(Parts):
    """One clock for all, which ticks for each array."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        for i, g in enumerate(grads):
            if g is not None:
                self.t[i] = self.ticks = getattr(self, "ticks", 0) + 1
                self.one(i, g)
        return [p.copy() for p in self.p]


class NoEpsilon(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(v))


class Narrow(Parts):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return super().second(v, g, m).astype(np.float16).astype(v.dtype)
