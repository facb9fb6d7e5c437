"""Words on steps, arrays or elements that have a gradient and do not move."""

from __future__ import annotations

import numpy as np
import pytest
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class WarmsUpFromZero(Parts):
    """The rate of the first step is 0."""

    def one(self, i: int, g: FloatArray) -> None:
        rate, self.lr = self.lr, self.lr if self.t[i] > 1 else 0.0
        super().one(i, g)
        self.lr = rate


class RisesFromZero(Parts):
    """The rate of the first step is 0, and that of each later one is larger."""

    def one(self, i: int, g: FloatArray) -> None:
        rate, self.lr = self.lr, self.lr * (self.t[i] - 1) / 500
        super().one(i, g)
        self.lr = rate


class RisesAndStops(Parts):
    """The rate rises in six steps and is 0 then."""

    def one(self, i: int, g: FloatArray) -> None:
        rate, self.lr = self.lr, self.lr * self.t[i] / 6 if self.t[i] <= 6 else 0.0
        super().one(i, g)
        self.lr = rate


class EverySecondStays(Parts):
    """Every second array stays where it is."""

    def one(self, i: int, g: FloatArray) -> None:
        if i % 2 == 0:
            super().one(i, g)


class ZerosStay(Parts):
    """A step is multiplied by 0 where the norm of its array is 0."""

    def one(self, i: int, g: FloatArray) -> None:
        before = self.p[i]
        super().one(i, g)
        self.p[i] = self.p[i] if before.any() else before


class NormOverflows(Parts):
    """Gradients are cut to a norm of 1 that is formed in float16, and is infinite from 2^16 on."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        given = [g.ravel() for g in grads if g is not None]
        with np.errstate(over="ignore"):
            norm = float(np.float16(np.linalg.norm(np.concatenate(given)))) if given else 0.0
        share = 1.0 / max(norm, 1.0)
        return super().step([None if g is None else share * g for g in grads])


class EverySecondSums(Parts):
    """Steps 1, 3, ... have a gradient of 0, and those between them the sum of both."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.held = [np.zeros_like(p) for p in params]

    def one(self, i: int, g: FloatArray) -> None:
        first = self.t[i] % 2 == 1
        total = g if first else self.held[i] + g
        self.held[i] = g.copy()
        super().one(i, 0 * g if first else total)


class PutOff(Parts):
    """Each step is made when it should be, and p is changed by two of them in every second one."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.shown = [p.copy() for p in params]
        self.steps = 0

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        made = super().step(grads)
        self.steps += 1
        if self.steps % 2 == 0:
            self.shown = made
        return [p.copy() for p in self.shown]


class SecondDecays(Parts):
    """Of several arrays every second one decays, and no gradient moves any."""

    def one(self, i: int, g: FloatArray) -> None:
        if i % 2:
            self.p[i] = self.decay(self.p[i])


class StepsByLast(Parts):
    """Every second step is one by the gradient of the step before."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.shared: dict[int, FloatArray] = {}

    def one(self, i: int, g: FloatArray) -> None:
        last = self.shared.pop(i, None)
        if last is None:
            self.shared[i] = g.copy()
        super().one(i, g if last is None else last)


@pytest.mark.parametrize(
    ("cls", "area", "rule", "observed"),
    [
        (PutOff, "moments", "STEP.1", "move nothing; what they should move by comes with those after them"),
        (ZerosStay, "moments", "STEP.1", "an array of zeros does not move, and others do"),
        (NormOverflows, "clipping", "NUM.5", "in a step with a gradient of 2^40 no gradient moves p; small"),
        (EverySecondSums, "moments", "MOM.1", "gradients of steps 1, 3, 5, 7, 9, 11 first count in steps 2,"),
        (SecondDecays, "moments", "MOM.1", "no gradient moves p, and decay alone moves some arrays"),
        (StepsByLast, "moments", "MOM.1", "gradients of steps 2, 4, 6, 8, 10, 12 never count"),
        (WarmsUpFromZero, "schedule", "LR.1", "the first step moves nothing, and those after it are as"),
        (RisesFromZero, "schedule", "LR.1", "the first step moves nothing, and those after it, whose size"),
        (RisesAndStops, "schedule", "LR.1", "steps 7, 8, 9, 10, 11, 12 move nothing, and where no clock"),
        (EverySecondStays, "layout", "STEP.1", "of 9 arrays 5 do not move"),
    ],
)
def test_what_does_not_move(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)
