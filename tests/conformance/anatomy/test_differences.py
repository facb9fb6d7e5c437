"""Which part is the first, and by how much it differs."""

from __future__ import annotations

import pytest
import wrong_parts as wrong
from measured_adams import Parts, anatomy

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.differences import Difference, first_difference, reversed_curve
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
