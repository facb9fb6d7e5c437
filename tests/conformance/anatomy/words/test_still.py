"""Words on steps, arrays or elements that have a gradient and do not move."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("cls", "area", "rule", "observed"),
    [
        (WarmsUpFromZero, "schedule", "LR.1", "the first step moves nothing, and those after it are as"),
        (RisesFromZero, "schedule", "LR.1", "the first step moves nothing, and those after it, whose size"),
        (RisesAndStops, "schedule", "LR.1", "steps 7, 8, 9, 10, 11, 12 move nothing, and where no clock"),
        (EverySecondStays, "layout", "STEP.1", "of 9 arrays 5 do not move"),
    ],
)
def test_what_does_not_move(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)
