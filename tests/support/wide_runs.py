"""Array candidates that are wrong in one circumstance far from the ordinary: many dimensions, steps or lr."""

from __future__ import annotations

import numpy as np
from measured_adams import Parts

from adamcore.conformance.types import FloatArray


class ManyDimensionsKept(Parts):
    """An array of three or more dimensions does not decay."""

    def one(self, i: int, g: FloatArray) -> None:
        before, factor = self.p[i], self.lr * self.h["weight_decay"]
        super().one(i, g)
        if g.ndim > 2:
            self.p[i] = self.p[i] + factor * before


class LeavesMoment(Parts):
    """What a matrix of nine elements or more leaves behind gets into the small array after it."""

    def one(self, i: int, g: FloatArray) -> None:
        left = self.v[i - 1] if i else np.zeros(0)
        if left.ndim > 1 and left.size > 8 and 0 < g.size < 4:
            self.v[i] = self.v[i] + 1e-3 * left.flat[0]
        super().one(i, g)


class RootOfAll(Parts):
    """The root is that of the mean second moment of all arrays."""

    def root(self, v: FloatArray) -> FloatArray:
        every = np.concatenate([np.ravel(each) for each in self.v]) / self.correction(max(self.t))[1]
        return np.full_like(v, np.sqrt(np.mean(every)) + self.h["eps"])


class RateByNumber(Parts):
    """The learning rate is divided by the root of the number of arrays."""

    def one(self, i: int, g: FloatArray) -> None:
        lr = self.lr
        self.lr = lr / float(np.sqrt(len(self.p)))
        super().one(i, g)
        self.lr = lr


class CentresMatrices(Parts):
    """The mean of each row is taken off a gradient of two dimensions."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g - np.mean(g, axis=1, keepdims=True) if g.ndim == 2 else g)


class OldTimesOld(Parts):
    """What was learnt is multiplied by itself."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return super().first(m * m, g)


class HoldsAtZero(Parts):
    """Decay brings a parameter to 0 at most."""

    def decay(self, p: FloatArray) -> FloatArray:
        return p * max(0.0, 1 - self.lr * self.h["weight_decay"])


class EighthTwice(Parts):
    """Every eighth step is made twice."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        if self.t[i] % 8 == 0:
            self.t[i] += 1
            super().one(i, g)


class SlowlyFallingRate(Parts):
    """The learning rate is divided by what grows by a millionth in each step."""

    def one(self, i: int, g: FloatArray) -> None:
        lr = self.lr
        self.lr = lr / (1 + 1e-6 * self.t[i])
        super().one(i, g)
        self.lr = lr


class AddsEpsilonAbove(Parts):
    """Epsilon is added to what is divided as well."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.p[i] - self.lr * self.h["eps"] / c1 / self.root(self.v[i] / c2)


class Begun(Parts):
    """One that begins from a given state and takes new hyperparameters."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        self.h = {**self.h, **hyper}

    def get_state(self) -> dict[str, object]:
        return {"t": list(self.t), "m": list(self.m), "v": list(self.v)}

    def set_state(self, state: dict[str, list[int | FloatArray]]) -> None:
        self.t = [int(t) for t in state["t"]]
        self.m, self.v = ([np.array(a) for a in state[name]] for name in ("m", "v"))


class EmptiedByThousands(Begun):
    """The first moment is emptied before every thousandth step."""

    def one(self, i: int, g: FloatArray) -> None:
        self.m[i] = self.m[i] * (self.t[i] % 1000 > 0)
        super().one(i, g)


class ShortUpdates(Begun):
    """An element of an update is ten times lr at most."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.decay(self.p[i])
        super().one(i, g)
        self.p[i] = before + np.clip(self.p[i] - before, -10 * self.lr, 10 * self.lr)


class KeepsMomentum(Begun):
    """A new hyperparameter of 0 is taken for none."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if value})


class StepsOnceChanged(Parts):
    """Nothing moves before the learning rate was changed."""

    changed = False

    def set_lr(self, lr: float) -> None:
        self.changed = self.changed or lr != self.lr
        super().set_lr(lr)

    def one(self, i: int, g: FloatArray) -> None:
        if self.changed:
            super().one(i, g)


class ByGroups(Begun):
    """AdamW whose parameters have settings of their own."""

    def init_groups(self, params: list[FloatArray], hypers: list[dict[str, float]]) -> None:
        self.init(params, dict(hypers[0]))
        self.own = [dict(h) for h in hypers]

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.default, self.own = hyper["weight_decay"], [dict(hyper) for _ in params]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for own in self.own:
            own.update(hyper)

    def set_lr(self, lr: float) -> None:
        self.set_hyper({"lr": lr})

    def settings(self, i: int) -> dict[str, float]:
        return self.own[i]

    def one(self, i: int, g: FloatArray) -> None:
        self.h = self.settings(i)
        self.lr = self.h["lr"]
        super().one(i, g)


class ZeroDecayIsDefault(ByGroups):
    """A weight decay of 0 in mid-run or in a group is that of the first group."""

    def settings(self, i: int) -> dict[str, float]:
        return {**self.own[i], "weight_decay": self.own[i]["weight_decay"] or self.default}


class DecayOfFirstUnderOwnRate(ByGroups):
    """A group with a rate of its own decays by the first group's weight decay."""

    def settings(self, i: int) -> dict[str, float]:
        first, own = self.own[0], self.own[i]
        return own if own["lr"] == first["lr"] else {**own, "weight_decay": first["weight_decay"]}


class CutByFormerRoot(Parts):
    """The first step of an array is divided by the mean size of its gradients over eps, if above 1."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        if self.t[i] == 1 and g.size:
            mean = float(np.sqrt(np.mean((g / self.h["eps"]) ** 2)))
            self.p[i] = before + (self.p[i] - before) / max(1.0, mean)


class CutToZero(Parts):
    """The range of the parameters ends at 0 on both sides."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = np.clip(self.p[i], 0.0, 0.0)


class ForgetsParameter(Parts):
    """A parameter is its step."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        self.p[i] = self.p[i] - before
