"""Faults of Nesterov and the direction: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("NesterovHalfMissing", "nesterov-no-half", "NES.1/look-ahead"),
    ("NesterovNoSchedule", "nesterov-constant", "NES.1/look-ahead"),
    ("NesterovPowerForProduct", "nesterov-power", "NES.1/look-ahead"),
    ("NesterovProductTwice", "nesterov-product-twice", "NES.1/look-ahead"),
    ("NesterovGradientUncorrected", "nesterov-g-uncorrected", "NES.1/look-ahead"),
    ("NesterovOfRawGradient", "nesterov-g-unweighted", "NES.1/look-ahead"),
    ("AscentAtFirst", "ascent-at-first", "MAX.1/ascent"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("NesterovPowerForProduct") == (
        True,
        "a power of mu(t) is taken for the product of all mu",
    )
