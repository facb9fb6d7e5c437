"""Formats are those of NumPy and ml_dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.numerics.formats import BINARY, format_of


@pytest.mark.parametrize("name", BINARY)
def test_facts(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    info, held = ml_dtypes.finfo(name), format_of(name)
    assert held is not None
    assert held.digits == info.nmant + 1
    assert (held.least, held.greatest) == (float(info.smallest_subnormal), float(info.max))
    assert held.spacing(1.0) == held.spacing(1.75) == float(info.eps)
    assert held.spacing(held.least) == held.least


@pytest.mark.parametrize("name", ["float16", "float32"])
def test_what_vanishes_is_what_rounding_makes_0_or_infinite(name: str) -> None:
    held = format_of(name)
    assert held is not None
    top = held.greatest + held.spacing(held.greatest) / 2
    for edge in (held.zero, top):
        for x in (edge * (1 - 1e-9), edge, edge * (1 + 1e-9)):
            with np.errstate(all="ignore"):
                assert held.vanishes(x) == (np.float64(x).astype(name) in (0, np.inf)), x


@pytest.mark.parametrize("step", [1e-3, 2.0**-9, 2.0**-9 * 1.001, 0.3])
def test_stuck_above(step: float) -> None:
    held = format_of("float16")
    assert held is not None
    above = held.stuck_above(step)
    for x in np.array([1.0, 1.5, 1.999]) * above:
        assert held.spacing(x) / 2 > step
    assert held.spacing(above / 2) / 2 <= step


def test_others_are_not_known() -> None:
    assert format_of("float8_e4m3fn") is None
    assert format_of("complex64") == format_of(np.dtype("float32"))


def test_a_flushed_format_has_no_subnormal_numbers() -> None:
    held = format_of("bfloat16", 2.0**-126)
    assert held is not None
    assert held.least == held.zero == 2.0**-126
    assert format_of("float16", 2.0**-126) == format_of("float16")
