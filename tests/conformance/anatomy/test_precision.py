"""Digits: how many a number has, and which format they are those of."""

from __future__ import annotations

import numpy as np
import pytest
from measured_adams import Parts, anatomy, nothing_run

from adamcore.conformance.anatomy.precision import digits, precision, short
from adamcore.conformance.types import FloatArray

THIRDS = np.array([1.0, 2.0, 5.0]) / 3.0


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (THIRDS, 53.0),
        (THIRDS.astype(np.float32), 24.0),
        (THIRDS.astype(np.float16), 11.0),
        (np.array([0.75]), 53.0),
    ],
)
def test_the_format_of_numbers(values: FloatArray, bits: float) -> None:
    assert short(values.astype(np.float64)).value == bits


def test_what_is_no_number_has_no_digits() -> None:
    assert digits(np.array([0.0, np.nan, np.inf])) == 0


def test_a_run_in_float32_tells_nothing() -> None:
    assert precision(anatomy(Parts, "float32").readings) == {}
    assert precision(nothing_run()) == {}
