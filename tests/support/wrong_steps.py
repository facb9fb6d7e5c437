"""AdamWs that step wrongly in a way that disturbs the measuring of other parts."""

from __future__ import annotations

import math

import numpy as np
from measured_adams import Parts

from adamcore.conformance.types import FloatArray


class ForgetsGradients(Parts):
    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return m * self.h["b1"]


class StepsWithDecay(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        if self.h["weight_decay"]:
            super().one(i, g)


class StepsFirstArray(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        if i == 0:
            super().one(i, g)


class LosesFirstStep(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        if self.t[i] > 1:
            super().one(i, g)


class AddsGradient(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = self.p[i] - self.lr * g


class SquaresForRoot(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(v**2 + self.h["eps"])


class ClipsTogether(Parts):
    """Clips as PyTorch's clip_grad_norm_ does: the norm gets 1e-6 more."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        norm = np.sqrt(sum(float(np.sum(np.abs(g) ** 2)) for g in grads if g is not None))
        factor = min(1.0, 5.0 / (float(norm) + 1e-6))
        return super().step([None if g is None else g * factor for g in grads])


class NoRoot(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(v + self.h["eps"])


class NoDivisor(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.ones_like(v)


class FourthRoot(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(v**0.25 + self.h["eps"])


class Freezes(Parts):
    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return super().second(v, g, m) if max(self.t) < 9 else v


class KeepsBytes(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        m = self.m[i]
        if m.size and np.ptp(m) > 0:
            level = np.ptp(m) / 255
            self.m[i] = np.round((m - m.min()) / level) * level + m.min()


class SkipsRows(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i], self.m[i], self.v[i]
        super().one(i, g)
        if g.ndim > 1:
            still = np.broadcast_to((g == 0).all(axis=1, keepdims=True), g.shape)
            after = (self.p[i], self.m[i], self.v[i])
            new = [np.where(still, a, b) for a, b in zip(before, after, strict=True)]
            self.p[i], self.m[i], self.v[i] = new


class AddsBesideEpsilon(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(v + 1e-12) + self.h["eps"])


class LeavesTail(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        lost = (np.arange(g.size) >= g.size // 8 * 8).reshape(g.shape)
        self.p[i] = np.where(lost, self.p[i] + before * self.lr * self.h["weight_decay"], self.p[i])


class UsesRootBefore(Parts):
    before: FloatArray | None = None

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.before = None
        return super().step(grads)

    def root(self, v: FloatArray) -> FloatArray:
        own = super().root(v)
        used, self.before = self.before, own
        return own if used is None or used.shape != own.shape else used


class BeginsWithPenalty(Parts):
    """Adam with L2, whose moments begin with a step of a gradient of 0."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        for i, p in enumerate(self.p):
            self.m[i] = self.first(self.m[i], hyper["weight_decay"] * p)

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g + self.h["weight_decay"] * self.p[i])

    def decay(self, p: FloatArray) -> FloatArray:
        return p


class AddsToGradients(Parts):
    """What is added is far above eps, or eps itself."""

    added = 3.0

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g + self.added)


class AddsEpsilonToGradients(AddsToGradients):
    added = 1.0


class StepsVectorsTwice(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        if g.ndim < 2:
            self.p[i] = self.p[i] + (self.p[i] - self.decay(before))


class RootOfNeighbour(Parts):
    """The last element is divided by the root of the one before."""

    def root(self, v: FloatArray) -> FloatArray:
        own = super().root(v)
        if own.ndim == 1 and own.size > 1:
            own[-1] = own[-2]
        return own


class KeepsRootOfMaximum(Parts):
    """AMSGrad, whose maximum is kept as its root."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.top = [np.zeros_like(p) for p in params]

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        largest = np.maximum(self.top[i], v)
        self.top[i] = np.sqrt(largest)
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.decay(self.p[i]) - self.lr * (m / c1) / self.root(largest / c2)


class RootBelowZero(Parts):
    """Until step 2 the correction that it takes the root of is below 0."""

    def correction(self, t: int) -> tuple[float, float]:
        c1, c2 = super().correction(t - 2) if t != 2 else (1.0, 1.0)
        return c1, math.sqrt(c2) ** 2


class RaisesForLong(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        if self.t[i] < 100:
            raise TypeError("no such warmup")
        super().one(i, g)

    def get_state(self) -> dict[str, object]:
        return {"t": self.t, "m": self.m, "v": self.v}

    def set_state(self, state: dict[str, list[FloatArray]]) -> None:
        self.t = [int(t) for t in state["t"]]
        self.m, self.v = list(state["m"]), list(state["v"])


class EpsilonForRate(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        self.lr = self.h["eps"]
        super().one(i, g)


class ParameterInSquare(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        self.now = self.p[i]
        super().one(i, g)

    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return self.h["b2"] * v + (1 - self.h["b2"]) * g * self.now


class DividesByDecay(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = self.p[i] * (1 - self.lr * 2.0**-20 / self.h["weight_decay"])


class ProductForPower(Parts):
    """1 - 0.8 t is below 0 from step 2 on."""

    def correction(self, t: int) -> tuple[float, float]:
        return 1 - self.h["b1"] * t, super().correction(t)[1]
