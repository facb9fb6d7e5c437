"""Affine arithmetic: errors that cancel cancel, and what is not linear has a bound."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.conformance.oracle.affine import (
    AffineCoefficients,
    Format,
    NoiseSymbols,
    maximum,
    sqrt,
)


def symbols(n: int = 1) -> NoiseSymbols:
    return NoiseSymbols(n, Format(2.0**-24, 2.0**-150))


def test_a_root_near_zero_is_an_interval() -> None:
    s = symbols()
    x = s.constant(1e-8).add_error(1e-6)
    root = sqrt(x)
    assert root.error[0] >= np.sqrt(1e-8 + 1e-6) - 1e-4
    assert np.isfinite(root.error[0])


def test_errors_that_cancel_are_seen_to_cancel() -> None:
    s = symbols()
    x = s.constant(1.0).add_error(1e-3)
    assert (x - x).error[0] < 1e-9
    assert (x + x).error[0] > 1.9e-3


def test_a_maximum_within_its_errors_follows_both() -> None:
    s = symbols()
    a, b = s.constant(1.0).add_error(1e-3), s.constant(1.0 - 1e-4).add_error(2e-3)
    assert maximum(a, b).error[0] >= 2e-3 - 1e-4
    far = s.constant(0.5).add_error(1e-2)
    assert maximum(a, far).error[0] == pytest.approx(1e-3)


def test_a_quotient_by_something_near_zero_is_unbounded() -> None:
    s = symbols()
    assert np.isinf((s.constant(1.0) / s.constant(1e-3).add_error(1e-2)).error[0])


def test_a_result_that_is_exactly_0_has_no_rounding() -> None:
    s = symbols(2)
    product = s.constant(np.array([0.0, 1.0])) * s.constant(3.0)
    assert product.error[0] == 0.0
    assert product.error[1] > 0.0


def test_a_product_of_two_errors_is_bounded() -> None:
    """(1 + a)(1 + b) with |a|, |b| <= 1e-2 is at most 1 + 2e-2 + 1e-4."""
    s = symbols()
    product = s.constant(1.0).add_error(1e-2) * s.constant(1.0).add_error(1e-2)
    assert product.error[0] == pytest.approx(2e-2 + 1e-4, rel=1e-4)


def test_a_correction_formed_in_float32_has_an_error_that_grows_with_the_clock() -> None:
    s = symbols()
    errors = {
        (precision, t): float(AffineCoefficients(s, precision).complement_power(0.999, t).error[0])
        for precision in ("double", "working", "running")
        for t in (1, 100)
    }
    assert errors["double", 100] < 2 * errors["double", 1] + 1e-8
    assert errors["working", 100] > 10 * errors["working", 1]
    assert errors["running", 100] > 1.5 * errors["working", 100]
