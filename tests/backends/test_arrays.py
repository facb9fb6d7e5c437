"""Operations on the arrays of any library: complex numbers, norms, dtypes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from adamcore.backends.arrays import FLOATS, ArrayOperations

b = ArrayOperations()
SPECIAL = [0.0, -0.0, 1.5, -2.5, float("inf"), -float("inf"), float("nan")]


def test_a_joined_number_has_its_parts_whatever_the_other_is() -> None:
    re, im = (np.array(x, np.float32) for x in zip(*itertools.product(SPECIAL, repeat=2), strict=True))
    parts = b.split(b.join(re, im, np.dtype("complex64")))
    np.testing.assert_array_equal(parts, [re, im])
    assert all(part.dtype == np.float32 for part in parts)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_a_norm_neither_overflows_nor_counts_what_is_not_finite_or_masked(dtype: str) -> None:
    g = np.array([3e38, float("nan"), 3e38, float("inf"), 3e38], dtype)
    where = np.array([True, True, True, True, False])
    assert float(b.norm(g, where)) == pytest.approx(2**0.5 * float(np.float32(3e38)))
    assert b.norms([g, g[:0], np.zeros(3, dtype)], [None] * 3) == [pytest.approx(3e38 * 3**0.5), 0.0, 0.0]


def test_facts_on_floating_dtypes_are_numpys() -> None:
    for name in ("float16", "float32", "float64"):
        info = np.finfo(name)
        assert FLOATS[name] == (info.bits, float(info.smallest_normal), float(info.eps))
        assert b.least(np.dtype(name)) == float(info.smallest_subnormal)


def test_a_complex_dtype_and_its_parts() -> None:
    like = np.zeros(1)
    assert b.part_of(np.dtype("complex64"), like) == np.float32
    assert b.complex_of(np.dtype("float64"), like) == np.complex128
    with pytest.raises(LookupError, match="array has no complex dtype of float16 parts"):
        b.complex_of(np.dtype("float16"), like)
