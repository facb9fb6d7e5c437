"""Array candidates that are right in an ordinary run and wrong in one circumstance or precision."""

from __future__ import annotations

from typing import Any, ClassVar

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


class StandsIfOpposed(Parts):
    """An element whose gradient has not its momentum's sign stays where it is."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        self.p[i] = np.where(self.m[i] * g > 0, self.p[i], before)


class SharesRows(Parts):
    """The elements of a row have the mean of their squares."""

    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        square = g * g
        if g.ndim > 1 and g.size:
            square = np.broadcast_to(square.mean(axis=-1, keepdims=True), g.shape)
        return self.h["b2"] * v + (1 - self.h["b2"]) * square


class UncorrectedLater(Parts):
    """From step 21 on nothing is corrected."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t) if t <= 20 else (1.0, 1.0)


class FlushesSmall(Parts):
    """Gradients below 2^-14 are taken for 0."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, np.where(np.abs(g) < 2.0**-14, 0.0 * g, g))


class DecaysByPlace(Parts):
    """What decays is the number of the array, not the parameter."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = self.p[i] - self.lr * self.h["weight_decay"] * (i + 1)

    def decay(self, p: FloatArray) -> FloatArray:
        return p


class RateByPlace(Parts):
    """The rate falls the faster the earlier an array comes."""

    def one(self, i: int, g: FloatArray) -> None:
        lr, self.lr = self.lr, self.lr * 0.9 ** ((len(self.p) - i) * (self.t[i] - 1))
        super().one(i, g)
        self.lr = lr


class RateToItsEnd(Parts):
    """The rate falls in a straight line, to a tenth and beyond."""

    def correction(self, t: int) -> tuple[float, float]:
        c1, c2 = super().correction(t)
        return c1 / (1 - (t - 1) / 44), c2


class AveragesTwice(Parts):
    """Both averages take the gradient in once more where they are used."""

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        m, v = self.first(m, g), self.second(v, g, m)
        self.p[i] = self.decay(self.p[i]) - self.lr * (m / c1) / self.root(v / c2)


class SquareOfArray(Parts):
    """The square is that of the whole array, if it has one dimension."""

    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        square = np.full_like(g, g @ g) if g.ndim == 1 else g * g
        return self.h["b2"] * v + (1 - self.h["b2"]) * square


class ClockOfBlocks(Parts):
    """The clock ticks for each block of 32 elements."""

    def one(self, i: int, g: FloatArray) -> None:
        t, blocks = self.t[i], max(1, -(-g.size // 32))
        self.t[i] = 1 + (t - 1) * blocks
        super().one(i, g)
        self.t[i] = t


class OneBuffer(Parts):
    """Arrays of one shape come back in one buffer."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        buffers = {p.shape: p for p in super().step(grads)}
        return [buffers[p.shape] for p in self.p]


class NothingLeft(Parts):
    """What corrects the moments is 0, unless nothing is averaged."""

    def correction(self, t: int) -> tuple[float, float]:
        return 1.0 - bool(self.h["b1"]), 1.0 - bool(self.h["b2"])


class CorrectsByLast(Parts):
    """The corrections are those of the step before: of the first one 0."""

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = list(state["t"])
        self.m, self.v = ([x.copy() for x in state[name]] for name in ("m", "v"))

    def correction(self, t: int) -> tuple[float, float]:
        c1, c2 = super().correction(t - 1)
        return np.float64(c1), np.float64(c2)


class ShrinkingBeta(Parts):
    """b1 becomes smaller in each step, and its correction does not follow."""

    def one(self, i: int, g: FloatArray) -> None:
        given, self.h["b1"] = self.h["b1"], self.h["b1"] * (1 - 1e-6) ** (self.t[i] - 1)
        self.m[i] = self.first(self.m[i], g)
        self.h["b1"] = given
        self.v[i] = self.second(self.v[i], g, self.m[i])
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.decay(self.p[i]) - self.lr * (self.m[i] / c1) / self.root(self.v[i] / c2)


class HalvesCut(Parts):
    """Each half of an array's gradients is scaled down to a norm of 1."""

    def one(self, i: int, g: FloatArray) -> None:
        halves = np.array_split(g.ravel(), 2)
        cut = [half / max(1.0, float(np.sqrt(np.sum(half * half)))) for half in halves]
        super().one(i, np.concatenate(cut).reshape(g.shape))


class ClockOfAll(Parts):
    """The first correction is that of a clock which ticks for every array."""

    def correction(self, t: int) -> tuple[float, float]:
        return 1 - self.h["b1"] ** (1 + (t - 1) * len(self.p)), super().correction(t)[1]


class MatrixInTurns(Parts):
    """The average of a matrix takes half of the gradient in, twice."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return super().first(m, g) if g.ndim < 2 else super().first(super().first(m, g / 2), g / 2)


class ForgetsLate(Parts):
    """The first moments are emptied in step 130."""

    def one(self, i: int, g: FloatArray) -> None:
        self.m[i] = self.m[i] * (self.t[i] != 130)
        super().one(i, g)


class DecaysInSingle(Parts):
    """The lr of decay is one of single precision."""

    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - float(np.float32(self.lr)) * self.h["weight_decay"])


class SharesBits(Parts):
    """A first moment has 127 sizes, of which the largest is that of its array."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        new = super().first(m, g)
        size = np.max(np.abs(new), initial=0.0) / 127
        return np.asarray(np.round(new / size) * size if 0 < size < np.inf else new)


class RoughRoot(Parts):
    """A root is the reciprocal of one that is guessed from the bits of v and mended once."""

    def root(self, v: FloatArray) -> FloatArray:
        x = v.astype(np.float32)
        guess = (0x5F3759DF - (x.view(np.int32) >> 1)).astype(np.int32).view(np.float32)
        mended = guess * (np.float32(1.5) - np.float32(0.5) * x * guess * guess)
        return np.where(x > 0, 1 / mended, 0).astype(v.dtype) + self.h["eps"]


class StepsBySize(Parts):
    """A step is multiplied by the size of its parameter, or by a thousandth."""

    def one(self, i: int, g: FloatArray) -> None:
        p = self.p[i]
        super().one(i, g)
        self.p[i] = p + (self.p[i] - p) * np.maximum(np.abs(p), 1e-3)


class HeavierLate(Parts):
    """After step 100 the newest gradient weighs half as much in m."""

    def one(self, i: int, g: FloatArray) -> None:
        late, b1 = self.t[i] >= 100, self.h["b1"]
        self.m[i] = self.m[i] - (0.5 * (1 - b1) / b1 * g if late and b1 else 0.0)
        super().one(i, g)
