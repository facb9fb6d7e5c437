"""Which part is the first, and by how much it differs."""

from __future__ import annotations

import pytest
import wrong_parts as wrong
from measured_adams import Parts, anatomy, whole_anatomy

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.differences import Difference, first_difference, reversed_curve
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


@pytest.mark.parametrize(
    ("cls", "part"),
    [
        (Parts, None),
        (wrong.SlowFading, "first moment"),
        (wrong.UnderTheRoot, "epsilon"),
        (wrong.NoEpsilon, "epsilon"),
        (wrong.LosesTheLast, "arrays"),
        (wrong.DecaysTwice, "decay"),
    ],
)
def test_the_first_part_in_causal_order(cls: type, part: str | None) -> None:
    found = first_difference(anatomy(cls))
    assert (None if found is None else found.name) == part


def test_without_a_claim_there_is_none() -> None:
    assert first_difference(Anatomy(anatomy(wrong.SlowFading).readings)) is None


class AlwaysDecays(Parts):
    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - 0.01 * self.lr)


def test_decay_without_weight_decay_comes_before_what_it_disturbs() -> None:
    found = first_difference(anatomy(AlwaysDecays))
    assert found is not None
    assert found.name == "decay"


def test_a_curve_without_a_slope() -> None:
    parts = {part.name: part for part in anatomy(wrong.NoEpsilon).parts}
    assert reversed_curve(parts["epsilon"])
    assert not reversed_curve({part.name: part for part in anatomy(Parts).parts}["epsilon"])


def test_deviations_are_relative_and_in_words() -> None:
    made = anatomy(wrong.DecaysTwice)
    part = first_difference(made)
    assert part is not None
    difference = Difference(made, part)
    assert difference.differs("rate")
    assert difference.deviation("rate") == pytest.approx(1 - 1 / 1.96875)
    assert difference.largest() >= difference.deviation("rate")
    assert difference.beside("rate", "by ") == "by 0.061523 where 0.03125 is claimed"


class TimesRateInVectors(Parts):
    """The moment of a vector or a scalar stays multiplied by lr."""

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        if g.ndim < 2:
            self.m[i] = self.m[i] * self.lr


class TimesRateInMatrices(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        if g.ndim > 1:
            self.m[i] = self.m[i] * self.lr


def test_what_is_wrong_in_vectors_alone_shows_in_the_parts() -> None:
    part = first_difference(whole_anatomy(TimesRateInVectors))
    assert part is not None
    assert part.name == "first moment"
    part = first_difference(whole_anatomy(TimesRateInMatrices))
    assert part is not None
    assert part.name == "steps"


def test_an_exponent_of_nothing_is_0() -> None:
    class ByNoRate(Parts):
        def one(self, i: int, g: FloatArray) -> None:
            given, self.lr = self.lr, 0.25
            super().one(i, g)
            self.lr = given

    finding = first_finding(anatomy(ByNoRate))
    assert finding is not None
    assert (finding.area, finding.observed) == (
        "schedule",
        "a step goes with lr to the power 0 where 1 is claimed",
    )
