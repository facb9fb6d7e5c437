"""The equations of weight decay and of steps without a gradient."""

from __future__ import annotations

import numpy as np
import pytest
from measured_adams import Parts, equations_of

from adamcore.conformance.types import FloatArray


class Coupled(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g + self.h["weight_decay"] * self.p[i])

    def decay(self, p: FloatArray) -> FloatArray:
        return p


class After(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        wd, self.h["weight_decay"] = self.h["weight_decay"], 0.0
        super().one(i, g)
        self.h["weight_decay"] = wd
        self.p[i] = self.decay(self.p[i])


class Cautious(Parts):
    """Decay of the elements that ``decaying`` picks, by the step u and the gradient g."""

    def one(self, i: int, g: FloatArray) -> None:
        before, wd, self.h["weight_decay"] = self.p[i], self.h["weight_decay"], 0.0
        super().one(i, g)
        self.h["weight_decay"] = wd
        mask = self.decaying(before, before - self.p[i], g)
        self.p[i] = self.p[i] - self.lr * wd * np.where(mask, before, 0.0)

    def decaying(self, p: FloatArray, u: FloatArray, g: FloatArray) -> FloatArray:
        return np.asarray(u * p >= 0)


class ByGradient(Cautious):
    def decaying(self, p: FloatArray, u: FloatArray, g: FloatArray) -> FloatArray:
        return np.asarray(g * p >= 0)


class Square(Parts):
    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - self.lr**2 * self.h["weight_decay"])


class Twice(Parts):
    def decay(self, p: FloatArray) -> FloatArray:
        return super().decay(super().decay(p))


class Relative(Parts):
    power = 1

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr_max = self.lr

    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - self.lr**self.power / self.lr_max * self.h["weight_decay"])


class Squared(Relative):
    power = 2


class Fixed(Parts):
    hyper = ("lr", "b1", "b2", "eps")

    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - 0.01 * self.lr)


class Never(Fixed):
    def decay(self, p: FloatArray) -> FloatArray:
        return p


class Warming(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        self.p[i] = self.p[i] - 0.01 * self.h["weight_decay"] * self.t[i] * before


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (Parts, "p = p - lr wd p, before the step"),
        (Coupled, "g = g + wd p, before all else"),
        (After, "p = p - lr wd p, after the step"),
        (Cautious, "p = p - lr wd p, before the step, where the step does not move it away from 0"),
        (ByGradient, "p = p - lr wd p, before the step, where the gradient does not move it away from 0"),
        (Square, "p = p - lr^2 wd p, before the step"),
        (Twice, "p = (1 - lr wd)^2 p, before the step"),
        (Relative, "p = p - (lr/lr_max) wd p, before the step"),
        (Squared, "p = p - lr (lr/lr_max) wd p, before the step"),
        (Fixed, "p = p - 0.01 lr p, before the step"),
        (Never, None),
        (Warming, "p = (1 - x) p with x = 0.03375, 0.03625, 0.03875, 0.04125 in steps 1, 2, ..."),
    ],
)
def test_decay(cls: type, text: str | None) -> None:
    assert equations_of(cls).get("decay") == text


class AsZero(Parts):
    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        return super().step([0.0 * p if g is None else g for p, g in zip(self.p, grads, strict=True)])


class OneClock(Parts):
    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.t = [t + (g is None) for t, g in zip(self.t, grads, strict=True)]
        return super().step(grads)


class Refuses(Parts):
    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        if any(g is None for g in grads):
            raise ValueError("a gradient is missing")
        return super().step(grads)


class RefusesNone(Parts):
    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        if all(g is None for g in grads):
            raise ValueError("no gradient at all")
        return super().step(grads)


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (RefusesNone, "a step in which all are None is an error (ValueError)"),
        (Parts, "p stands still, its clock too"),
        (OneClock, "p stands still, the clock goes on"),
        (AsZero, "p goes on, and decays, the clock goes on"),
        (Refuses, "None is an error (ValueError)"),
    ],
)
def test_a_step_without_a_gradient(cls: type, text: str) -> None:
    assert equations_of(cls)["no gradient"] == text
