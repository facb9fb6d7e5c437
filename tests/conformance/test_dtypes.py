"""Formats: rounding, bits and ULP are those of NumPy and ml_dtypes."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from adamcore.conformance.dtypes import (
    DTYPES,
    arithmetic_of,
    from_bits,
    is_in_range,
    round_float,
    round_probe,
    round_to,
    to_bits,
    to_carrier,
    ulp_of,
)
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe, Step

NARROW = ("bfloat16", "float16")


@pytest.mark.parametrize("dtype", NARROW)
def test_formats_are_those_of_others(dtype: str) -> None:
    """Rounding and bits of every pattern, against ml_dtypes and NumPy."""
    theirs = np.dtype(np.float16 if dtype == "float16" else ml_dtypes.bfloat16)
    patterns = np.arange(2**16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        values = patterns.view(theirs).astype(np.float64)
        mine = from_bits(patterns, dtype).astype(np.float64)
    np.testing.assert_array_equal(mine, values)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(to_bits(mine[finite], dtype), patterns[finite])
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(20_000) * 2.0 ** rng.integers(-60, 17, 20_000)).astype(np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(round_to(x.astype(float), dtype), x.astype(theirs).astype(float))
    halves = (values[finite][:-1] + values[finite][1:]) / 2  # ties
    with np.errstate(over="ignore"):
        other = halves.astype(np.float32).astype(theirs).astype(float)
    np.testing.assert_array_equal(round_to(halves, dtype), other)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_limits_and_ulp_are_those_of_numpy(dtype: str) -> None:
    d, theirs = DTYPES[dtype], np.finfo(dtype)
    assert d.largest == float(theirs.max)
    assert d.normal == float(theirs.smallest_normal)
    assert 2.0**d.smallest == float(theirs.smallest_subnormal)
    x = np.array([1e-6, 0.75, 1.0, 3.0, 1000.0], dtype=dtype)
    np.testing.assert_array_equal(ulp_of(x.astype(float), dtype), np.spacing(x).astype(float))


def test_arithmetic_is_in_the_wider_dtype_and_in_float32_at_least() -> None:
    assert arithmetic_of("float16", "bfloat16") == "float32"
    assert arithmetic_of("float32", "float64") == "float64"


def test_a_number_beyond_the_range_is_infinite() -> None:
    assert round_float(65520.0, "float16") == np.inf
    assert round_float(65519.0, "float16") == 65504.0
    assert np.isnan(round_float(float("nan"), "bfloat16"))


def test_values_are_kept_in_a_carrier() -> None:
    assert to_carrier(np.array([1 / 3]), "bfloat16").dtype == np.float32
    z = to_carrier(np.array([1 / 3 + 1e-60j]), "float32")
    assert z.dtype == np.complex64
    assert z[0] == np.float32(1 / 3)


def test_a_probe_is_rounded_in_all_that_goes_into_it() -> None:
    probe = round_probe(PROBES["BC.1/t10"], "bfloat16")
    arrays = [*probe.params, *(g for s in probe.steps for g in s.grads if g is not None)]
    arrays += [x for s in probe.start for x in (s.m, s.v, s.v_max)]
    for x in arrays:
        np.testing.assert_array_equal(x, round_to(x, "bfloat16"))
    assert (probe.params[0] != PROBES["BC.1/t10"].params[0]).any()


def test_probes_that_leave_the_range_of_a_dtype() -> None:
    probe = Probe("X", "", (np.array([1.0, 0.0]),), (Step((np.array([1e-3, -2.0]),)),), {"lr": 0.1})
    assert all(is_in_range(probe, name) for name in DTYPES)
    for g, name in (1e-9, "float16"), (1e6, "float16"), (1e39, "bfloat16"), (1e-42, "bfloat16"):
        far = replace(probe, steps=(Step((np.array([g, 1.0]),)),))
        assert is_in_range(far, "float64")
        assert not is_in_range(far, name)
    nan = replace(probe, steps=(Step((np.array([np.nan, np.inf]),)), Step((None,))))
    assert is_in_range(nan, "float16")
