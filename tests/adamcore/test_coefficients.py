"""The coefficients' arithmetic against sixty digits (NUM.4)."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import pytest
from fast import adams

from adamcore import Adam
from adamcore.coefficients import MAX_CLOCK, Given, Host, Traced, split_log
from adamcore.definition import coefficients

RATES = [0.0, 1e-3, 0.3, 0.5, 0.9, 0.95, 0.999, 0.9999, 1 - 2.0**-20, math.nextafter(1.0, 0.0)]
CLOCKS = [1, 2, 3, 10, 999, 4095, 4096, 4097, 10**6, 2**30 + 1, MAX_CLOCK]


def exact(b: float, t: int) -> Decimal:
    """Return ``1 - b**t``, which is 60 digits of it."""
    with localcontext(prec=60):
        return 1 - Decimal(b) ** t


def ulps(got: Any, b: float, t: int) -> float:
    """Return the error of ``got`` in units of its last place."""
    with localcontext(prec=60):
        return float(abs(Decimal(float(got)) - exact(b, t)) / Decimal(float(np.spacing(got))))


@pytest.mark.parametrize("bits", [12, 22])
@pytest.mark.parametrize("b", RATES[1:])
def test_the_high_part_of_a_logarithm_times_a_clock_is_exact(b: float, bits: int) -> None:
    high, low = split_log(b, bits)
    for t in CLOCKS if bits == 22 else [t for t in CLOCKS if t <= 4096]:
        assert Fraction(t * high) == t * Fraction(high)
    with localcontext(prec=60):
        assert abs(Decimal(high) + Decimal(low) - Decimal(b).ln()) <= abs(Decimal(low)) * Decimal(2) ** -52


@pytest.mark.parametrize("b", RATES)
def test_on_the_host_within_one_and_a_half_ulp(b: float) -> None:
    for t in CLOCKS:
        assert ulps(np.float64(Host().complement_power(b, t)), b, t) <= 1.5
        assert ulps(np.float32(Host().complement_power(b, t)), b, t) <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("b", RATES)
def test_in_arrays_within_one_and_a_half_ulp(b: float, dtype: str) -> None:
    numbers = Traced(xp, np.dtype(dtype))
    for t in CLOCKS:
        with np.errstate(all="ignore"):  # the series overflows where it is not used
            got = numbers.complement_power(b, np.asarray(t, dtype=np.int32))
        assert got.dtype == dtype
        assert ulps(got, b, t) <= 1.5


@pytest.mark.parametrize("b", [0.3, 0.9, 0.999])
def test_a_rate_that_only_the_program_knows_within_four_ulp(b: float) -> None:
    numbers, rate = Traced(xp, np.dtype("float32")), np.float32(b)
    for t in (1, 2, 10, 999):
        got = numbers.complement_power(Given(np.asarray(rate)), np.asarray(t, dtype=np.int32))
        assert ulps(got, float(rate), t) <= 4.0
    assert numbers.complement(Given(np.asarray(rate))) == np.float32(1) - rate


def test_the_clock_stops() -> None:
    numbers = Traced(xp, np.dtype("float64"))
    for t, after in ((0, 1), (MAX_CLOCK - 1, MAX_CLOCK), (MAX_CLOCK, MAX_CLOCK)):
        assert Host().successor(t) == after
        assert numbers.successor(np.asarray(t, dtype=np.int32)) == after


def test_both_arithmetics_keep_the_larger_weight_exact() -> None:
    """Return the factor itself where it is the smaller one, and nothing where it comes from the weight."""
    numbers = Traced(xp, np.dtype("float64"))
    for kept in (0.0, 0.25, 0.5, 0.75):
        assert (Host().keep(kept, 1.0 - kept) is None) == (numbers.keep(kept, 1.0 - kept) is None)
    assert numbers.keep(np.asarray(0.25), np.asarray(0.75)) is None


def test_the_program_forms_what_the_host_forms() -> None:
    numbers = Traced(xp, np.dtype("float64"))
    for adam in adams(100):
        mu = 0.8 if adam.nesterov == "dozat" else None
        host = coefficients(Host(), adam, 7, 0.05, mu)
        array = coefficients(numbers, adam, np.asarray(7, np.int32), np.asarray(0.05), mu)
        for name in host._fields:
            want, got = getattr(host, name), getattr(array, name)
            if name == "keep_p":  # a weight that the host knows may take the other form
                continue
            assert (want is None) == (got is None), name
            if want is not None:
                np.testing.assert_allclose(got, want, rtol=1e-14)


def test_a_given_hyperparameter_has_its_term() -> None:
    numbers = Traced(xp, np.dtype("float64"))
    adam = Adam(eps=0.0)
    object.__setattr__(adam, "eps", Given(np.asarray(0.0)))
    assert coefficients(numbers, Adam(eps=0.0), np.asarray(1), np.asarray(0.1)).outside is None
    assert coefficients(numbers, adam, np.asarray(1), np.asarray(0.1)).outside == 0.0
