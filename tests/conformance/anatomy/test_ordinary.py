"""Ordinary runs and those that differ from them in one thing."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.ordinary import CLOCKS, UNIT_STEPS, course, factors, from_clock, known, unit
from adamcore.conformance.anatomy.readings import readings_of_claim


def test_a_course_has_a_gradient_of_each_shape_in_each_step() -> None:
    rows = course([(2, 2), (), (0,)], 3)
    assert [[np.shape(g) for g in row] for row in rows] == [[(2, 2), (), (0,)]] * 3
    assert np.all(rows[0][0] != 0)


def test_steps_without_averages_have_no_factor() -> None:
    r = readings_of_claim(Adam(), {"unit": unit()}, "float64")
    assert factors(r, ["unit"]).all_equal(np.ones(UNIT_STEPS).mean())


def test_what_is_no_number_counts_as_none() -> None:
    assert known(Measured([1.0, np.nan, np.inf], [0.5, np.nan, 1.0])).value.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("t", CLOCKS)
def test_a_given_state_shows_its_clock(t: int) -> None:
    """With a clock that stands, the corrections come out otherwise; far out they hardly change any more."""
    [start] = from_clock(t).start
    assert start.t == t
    assert 0.0 <= start.mu_product < 1.0  # it underflows far out
