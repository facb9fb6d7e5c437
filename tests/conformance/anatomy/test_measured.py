"""Measured numbers: errors go through the arithmetic, and what agrees is told from what does not."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.conformance.anatomy.measured import SAME, Measured, join


def test_errors_go_through_the_arithmetic() -> None:
    a, b = Measured([4.0], [0.25]), Measured([2.0], [0.5])
    cases = [(a + b, 6.0, 0.75), (a - b, 2.0, 0.75), (a * b, 8.0, 2.5), (a / b, 2.0, 0.625)]
    cases += [(a.squared(), 16.0, 2.0), (a.sqrt(), 2.0, 0.0625), (a * 2.0, 8.0, 0.5), (a / 2.0, 2.0, 0.125)]
    for made, value, error in cases:
        assert (made.value.item(), made.error.item()) == (value, error)


def test_a_logarithm_counts_as_the_same_within_what_its_number_may_be_off() -> None:
    assert Measured(8.0).log2().equals(3.0 + SAME)
    assert np.isnan(Measured(-1.0).log2().value)


def test_what_was_not_measured_is_nan_and_agrees_with_its_like_alone() -> None:
    missing = Measured(0.0) / Measured(0.0)
    assert missing.equals(Measured(np.nan))
    assert not missing.equals(1.0)


@pytest.mark.parametrize(("other", "first"), [([1.0, 2.0, 3.0], None), ([1.0, 2.1, 3.1], 1)])
def test_the_first_that_does_not_agree(other: list[float], first: int | None) -> None:
    assert Measured([1.0, 2.0, 3.0]).first(Measured(other)) == first


def test_an_error_allows_four_times_itself() -> None:
    assert Measured(1.0, 0.1).equals(1.39)
    assert not Measured(1.0, 0.1).equals(1.41)


def test_join() -> None:
    made = join([Measured(1.0, 0.5), Measured(2.0, 0.25)])
    assert (made.value.tolist(), made.error.tolist()) == ([1.0, 2.0], [0.5, 0.25])
