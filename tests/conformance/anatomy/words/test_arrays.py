"""Words on arrays that are stepped otherwise beside others, alone, or in another order of their elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class StepsCutTogether(Parts):
    """The steps of all arrays together are cut to a length of 1."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        before, after = list(self.p), super().step(grads)
        length = float(np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after, before, strict=True))))
        share = min(1.0, 1.0 / length) if length else 1.0
        self.p = [b + share * (a - b) for a, b in zip(after, before, strict=True)]
        return [p.copy() for p in self.p]


class OneElementKeepsIts(Parts):
    """A number times an array of one element is the array."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return super().first(m, g) if g.size > 1 else m + g


class FirstByParts(Parts):
    """The first array is in three places, each with a third of the gradient and moments of its own."""

    def one(self, i: int, g: FloatArray) -> None:
        if i:
            super().one(i, g)
            return
        moments = self.m[i], self.v[i]
        for _ in range(3):
            self.m[i], self.v[i] = moments
            super().one(i, g / 3)


class MultipliedByFirst(Parts):
    """The step of an array is multiplied by its first gradient."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i].copy()
        super().one(i, g)
        self.p[i] = before + (self.p[i] - before) * (float(np.ravel(g)[0]) if g.size else 1.0)


class OldBatches(Parts):
    """Of four parts of a gradient one is in its step, the other three in the next."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.left = [np.zeros_like(p) for p in params]

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, self.left[i] + g / 4)
        self.left[i] = 3 * g / 4


class EpsilonOfItsOwn(Parts):
    """eps is a constant, and the first step is corrected as the second."""

    hyper = ("lr", "b1", "b2", "weight_decay")

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"eps": 1e-8})

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t + 1)


class PausedRate(Parts):
    """A step in which no parameter has a gradient takes a tenth off the rate."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.lr *= 0.9 if all(g is None for g in grads) else 1.0
        return super().step(grads)

    def get_state(self) -> dict[str, Any]:
        return {"t": list(self.t), "m": self.m, "v": self.v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t, self.m, self.v = list(state["t"]), list(state["m"]), list(state["v"])


class OwnRate(Parts):
    """lr is no argument, and a number of its own."""

    hyper = ("b1", "b2", "eps", "weight_decay")
    set_lr = None  # type: ignore[assignment]

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"lr": 0.002})


class StoredInHalf(Parts):
    """Parameters but for the first go through float16 in every step."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        with np.errstate(all="ignore"):
            self.p[i] = self.p[i].astype(np.float16).astype(self.p[i].dtype) if i else self.p[i]


class StepsFirstTwice(Parts):
    """The first array is listed twice."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        super().step(grads[:1])
        return super().step(grads)


class StepsFirstFarther(Parts):
    """The first array has twice the rate."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        self.p[i] = self.p[i] if i else 2 * self.p[i] - before


class MasterStays(Parts):
    """A step goes out from a copy of the parameters that is never written to."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.master = [p.copy() for p in params]

    def one(self, i: int, g: FloatArray) -> None:
        self.p[i] = self.master[i]
        super().one(i, g)


class NoFirstMomentOfZero(Parts):
    """The least m that is kept is 1e-19, which stands for 0 too."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        m = super().first(m, g)
        return np.where(np.abs(m) < 1e-19, np.copysign(1e-19, m), m)


class CutByFormerNorm(Parts):
    """Gradients are divided by the norm that those of the step before had, if it is above 1."""

    norm = 0.0

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        share = 1 / max(1.0, self.norm)
        there = [g for g in grads if g is not None]
        self.norm = float(np.sqrt(sum(np.sum(g * g) for g in there)))
        return super().step([None if g is None else g * share for g in grads])


class LastOfTwoAdams(Parts):
    """The last array is held by two Adams, which step it in turn."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        before, after = list(self.p), super().step(grads)
        if len(self.p) > 1:
            self.p[-1] = 2 * self.p[-1] - before[-1]
            after[-1] = self.p[-1].copy()
        return after


class AllButLastTwice(Parts):
    """All arrays but the last are held by two Adams."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        before, after = list(self.p), super().step(grads)
        for i in range(len(self.p) - 1):
            self.p[i] = 2 * self.p[i] - before[i]
            after[i] = self.p[i].copy()
        return after


class OneScaleForAll(Parts):
    """Moments have 8 bits, with one scale for those of all arrays."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        after = super().step(grads)
        for kept, top in ((self.m, 127), (self.v, 255)):
            scale = max(float(np.max(np.abs(x), initial=0.0)) for x in kept) / top
            kept[:] = [np.asarray(np.rint(x / scale) * scale) if scale else x for x in kept]
        return after


class LastForgets(Parts):
    """The moments of the last array are lost behind each step."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        after = super().step(grads)
        if len(self.m) > 1:
            self.m[-1], self.v[-1] = np.zeros_like(self.m[-1]), np.zeros_like(self.v[-1])
        return after


class SumsOfEverySecond(Parts):
    """The gradients of every second array are sums of four parts, and not means."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, 4 * g if i % 2 else g)


class DropsEveryThird(Parts):
    """Each third call makes no step."""

    calls = 0

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.calls += 1
        return super().step([None] * len(grads) if self.calls % 3 == 0 else grads)


@pytest.mark.parametrize(
    ("cls", "area", "rule", "observed"),
    [
        (StepsCutTogether, "clipping", "NUM.5", "the steps of all arrays together are cut to a length of 1"),
        (OneElementKeepsIts, "layout", "STEP.1", "an array of one element takes a step "),
        (MultipliedByFirst, "moments", "STEP.1", "are multiplied by one number"),
        (PausedRate, "schedule", "LR.1", "after steps without a gradient, a step is 0.9 times as large"),
        (OwnRate, "hyperparameters", "STEP.1", "lr is 0.002 where 0.001 is claimed"),
        (StoredInHalf, "mixed_precision", "NUM.1", "few bits for its exponent"),
        (FirstByParts, "moments", "STEP.1", "is stepped 3 times in each step, by 1/3 of its gradient"),
        (StepsFirstTwice, "moments", "MOM.1", "the first array is stepped twice in each step"),
        (
            StepsFirstFarther,
            "layout",
            "STEP.1",
            "the first array is not stepped as claimed, and those after it",
        ),
        (MasterStays, "storage", "STEP.1", "each step begins at the parameters of the start"),
        (NoFirstMomentOfZero, "storage", "MOM.1", "as by an m of 1e-19 that does not fade"),
        (CutByFormerNorm, "clipping", "NUM.5", "tiny gradients count less beside large ones of other arrays"),
        (
            AllButLastTwice,
            "moments",
            "STEP.1",
            "the last of two equal arrays makes, times the step, 0.5 where",
        ),
        (LastOfTwoAdams, "moments", "STEP.1", "each step of the last of several arrays is 2 times as long"),
        (OneScaleForAll, "storage", "STORE.9", "the moments of a small one are 0 after its step"),
        (LastForgets, "moments", "MOM.1", "the last of two equal arrays makes, times the step, 0.77778"),
        (SumsOfEverySecond, "layout", "STEP.1", "in one array after the other, 1, 4, 1 times as claimed"),
        (DropsEveryThird, "clock", "CLK.2", "steps 3, 6, 9, 12 move nothing, those between them do"),
        (OldBatches, "moments", "MOM.1", "an older gradient counts against the newest "),
    ],
)
def test_arrays(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)


def test_what_a_constant_eps_lets_through_is_no_clipping() -> None:
    assert_found(first_finding(whole_anatomy(EpsilonOfItsOwn)), "clock", "CLK.2", "that begins at 1")


class WaitsForMany(Parts):
    """A step is made of eight gradients or more."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        count = sum(g.size for g in grads if g is not None)
        return super().step(grads if count > 8 else [None] * len(grads))


class LaterHalf(Parts):
    """Gradients of the later half of the arrays are multiplied by 16; one that is alone is in it."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, 16.0 * g if i >= len(self.p) // 2 else g)


@pytest.mark.parametrize(
    ("cls", "area", "observed"),
    [
        (WaitsForMany, "moments", "an array of one element does not move without others"),
        (
            LaterHalf,
            "layout",
            "an array alone takes steps far below eps that are 16 times as large as claimed",
        ),
    ],
)
def test_an_array_alone_is_told_from_one_beside_others(cls: type, area: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, "STEP.1", observed)
