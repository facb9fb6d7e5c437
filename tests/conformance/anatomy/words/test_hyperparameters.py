"""Words on far values of hyperparameters, and on precision."""

from __future__ import annotations

import odd_runs as odd
import pytest
import wide_runs as wide
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray

CASES = [
    (odd.CappedBeta, "hyperparameters", "MOM.2", "b2=0.9999 counts as 0.999"),
    (odd.SmallEpsSquared, "epsilon", "EPS.1", "eps=1e-07 counts as 1e-14"),
    (odd.SingleUpdate, "mixed_precision", "NUM.1", "p has the digits of float32"),
    (odd.SingleBetas, "hyperparameters", "NUM.4", "b1 is 0.800000011921 where 0.8 was given"),
    (odd.SingleCorrections, "coefficients", "NUM.4", "corrections and weights are off by up to "),
    (wide.HoldsAtZero, "decay", "DEC.2", "with lr=8 elements decay by another share than claimed"),
    (
        wide.AddsEpsilonAbove,
        "epsilon",
        "EPS.1",
        "without any gradient p moves by 5 times lr, whatever eps is",
    ),
    (odd.DecaysInSingle, "decay", "NUM.4", "differ in their last digits"),
]


class EndsAtSmallRates(Parts):
    """With a small rate the first step is the last one."""

    steps = 0

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.steps += 1
        return super().step(grads if self.lr > 1e-6 or self.steps == 1 else [None] * len(grads))


class DampedForGood(Parts):
    """The rate that it is made with counts a tenth; one that is set later counts whole."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.lr = hyper["lr"] / 10


CASES += [
    (
        EndsAtSmallRates,
        "schedule",
        "LR.1",
        "the first step is as claimed, and then nothing moves",
    ),
    (DampedForGood, "hyperparameters", "LR.1", "lr counts 0.1 times, in steps and in decay"),
]


@pytest.mark.parametrize(("cls", "area", "rule", "observed"), CASES, ids=[case[0].__name__ for case in CASES])
def test_the_finding(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)
