"""Array candidates that are right in an ordinary run and wrong in one circumstance or precision."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from measured_adams import Parts

from adamcore.conformance.types import FloatArray


class FallingRate(Parts):
    """The learning rate falls by itself."""

    def correction(self, t: int) -> tuple[float, float]:
        c1, c2 = super().correction(t)
        return c1 * (1 + 0.01 * t), c2


class CappedBeta(Parts):
    """b2 is 0.999 at most."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, {**hyper, "b2": min(hyper["b2"], 0.999)})


class SmallEpsSquared(Parts):
    """An eps of 1e-6 or less is squared."""

    def root(self, v: FloatArray) -> FloatArray:
        eps = self.h["eps"]
        return np.asarray(np.sqrt(v) + (eps**2 if eps < 1e-6 else eps))


class TailTwice(Parts):
    """What does not fill a block of 8 is updated twice."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        if g.size > 8 and g.size % 8:
            self.p[i][-(g.size % 8) :] -= 0.01


class Centres(Parts):
    """The mean of an array is taken off its gradient."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g - np.mean(g) if g.size > 1 else g)


class SkipsZeroArrays(Parts):
    """An array of zeros is left as it is."""

    def one(self, i: int, g: FloatArray) -> None:
        if np.any(g):
            super().one(i, g)


class KeepsTheGradient(Parts):
    """Each step takes the gradient that came before, in whose memory there is another now."""

    last: dict[int, FloatArray]

    def one(self, i: int, g: FloatArray) -> None:
        self.__dict__.setdefault("last", {})
        super().one(i, self.last.get(i, g))
        self.last[i] = g


class CountsForAll(Parts):
    """One clock for all that was ever made."""

    steps: ClassVar[list[int]] = [0]

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.steps[0] += 1
        return super().step(grads)

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(self.steps[0])


class CachesCorrections(Parts):
    """Corrections are kept by t alone."""

    kept: ClassVar[dict[int, tuple[float, float]]] = {}

    def correction(self, t: int) -> tuple[float, float]:
        return self.kept.setdefault(t, super().correction(t))


class SingleUpdate(Parts):
    """Parameters are kept in float32."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = self.p[i].astype(np.float32).astype(self.p[i].dtype)


class SingleBetas(Parts):
    """The betas are rounded to float32."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        rounded = {name: float(np.float32(hyper[name])) for name in ("b1", "b2")}
        super().init(params, {**hyper, **rounded})


class SingleCorrections(Parts):
    """The corrections are formed in float32."""

    def correction(self, t: int) -> tuple[float, float]:
        b1, b2 = np.float32(self.h["b1"]), np.float32(self.h["b2"])
        return float(np.float32(1) - b1 ** np.float32(t)), float(np.float32(1) - b2 ** np.float32(t))


class DropsNan(Parts):
    """A gradient of NaN is taken for 0."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, np.nan_to_num(g))


class RatesOnce(Parts):
    """A learning rate of 0 is not taken."""

    def set_lr(self, lr: float) -> None:
        self.lr = lr or self.lr


class RaisesForScalars(Parts):
    """An array needs a dimension."""

    def one(self, i: int, g: FloatArray) -> None:
        len(g)
        super().one(i, g)


class CountsFromTwo(Parts):
    """The first step is corrected as the second one."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t + 1)


class SecondStartsAtEps(Parts):
    """v starts at eps."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.v = [np.full_like(p, hyper["eps"]) for p in params]


class LongUpdatesCut(Parts):
    """An array's update is scaled down if its root mean square is above 1/2."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i].copy()
        super().one(i, g)
        update = (before - self.p[i]) / (self.lr or 1.0)
        size = float(np.sqrt(np.mean(update**2)))
        self.p[i] = before - self.lr * update / max(1.0, 2.0 * size)
