"""The axes' values and the range of a number: what is taken, and in which words the rest is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from adamcore.axes import AXES, check_axis, check_number
from adamcore.config import AdamConfig
from adamcore.errors import AxisError, HyperparameterError


def test_the_first_value_of_each_axis_is_the_default() -> None:
    default = AdamConfig()
    assert {axis: values[0] for axis, values in AXES.items()} == {
        axis: getattr(default, axis) for axis in AXES
    }


def test_every_value_is_taken() -> None:
    for axis, values in AXES.items():
        for value in values:
            check_axis(axis, value)


@pytest.mark.parametrize(
    ("axis", "value", "words"),
    [
        ("decay", "decoupld", r"decay='decoupld': expected one of 'l2', .*; nearest: 'decoupled'"),
        ("clock", None, r"clock=None: expected one of 'per-parameter', 'global'$"),
        ("maximize", 1, r"maximize=1: expected one of False, True"),
        ("maximize", "True", r"maximize='True'.*nearest: 'True'"),
        ("amsgrad", False, r"amsgrad=False"),
    ],
)
def test_another_value_is_refused_with_the_nearest(axis: str, value: Any, words: str) -> None:
    with pytest.raises(AxisError, match=words):
        check_axis(axis, value)


@pytest.mark.parametrize(
    "value", [0, 0.0, -0.0, 1, 1e300, True + 1, np.float32(0.5), Fraction(1, 3), np.int64(2)]
)
def test_a_finite_number_is_taken(value: Any) -> None:
    check_number("eps", value)


@pytest.mark.parametrize("value", [-1e-300, math.inf, math.nan, -math.inf])
def test_a_number_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(HyperparameterError, match=f"eps={value!r}: expected a finite number >= 0"):
        check_number("eps", value)


@pytest.mark.parametrize("value", [True, "0.1", None, 1j, np.ones(1)])
def test_what_is_no_real_number_is_refused_with_its_type(value: Any) -> None:
    with pytest.raises(HyperparameterError, match=rf"\({type(value).__name__}\): expected a finite number"):
        check_number("eps", value)


def test_the_upper_end_is_excluded() -> None:
    check_number("b1", math.nextafter(1.0, 0.0), below=1.0)
    with pytest.raises(HyperparameterError, match=r"b1=1.0: expected a number in \[0, 1\)"):
        check_number("b1", 1.0, below=1.0)
