"""Numbers as texts."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.conformance.anatomy.texts import listed, number, shortened, times


@pytest.mark.parametrize(
    ("x", "text"), [(0.1 + 0.2, "0.3"), (1e-8, "1e-08"), (2.0, "2"), (0.95001, "0.95001")]
)
def test_a_number_has_five_digits(x: float, text: str) -> None:
    assert number(x) == text


def test_a_factor_of_one_is_not_written() -> None:
    assert [times(x) + "g" for x in (1.0, 0.99999999, -1.0)] == ["g", "g", "-1 g"]


def test_many_values_are_the_first_ones_and_the_last() -> None:
    assert listed(np.arange(6.0)) == "0, 1, 2, 3, 4, 5"
    assert listed(np.arange(7.0)) == "0, 1, 2, 3, ..., 6"


def test_a_long_error_is_cut() -> None:
    assert shortened("short") == "short"
    assert len(shortened("x" * 500)) == 80
