"""Norms by machine code: right to float64's last bits, and the same for any number of threads."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import pytest

from adamcore.backends.kernels import norms
from adamcore.backends.numpy.fast import MEMORY

pytest.importorskip("llvmlite")

SIZES = (0, 1, 31, 32, 33, norms.BLOCK - 1, norms.BLOCK, norms.BLOCK + 1, 2 * norms.BLOCK + 40)


def exact(x: Any) -> float:
    wide = np.asarray(x, np.float64).ravel()
    return math.sqrt(math.fsum(wide[np.isfinite(wide)] ** 2))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_right_in_each_dtype(dtype: str) -> None:
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal(size).astype(dtype) for size in SIZES]
    for x in xs[3:]:
        x[[3, 29]] = np.nan, -np.inf
    for x, n in zip(xs, norms.norms(MEMORY, xs), strict=True):
        if x.size == 0 and dtype == "float64":
            assert n is None  # no square says whether it was lost
        else:
            assert n == pytest.approx(exact(x), rel=1e-14, abs=0.0)


def test_complex_numbers_count_both_parts() -> None:
    assert norms.norms(MEMORY, [np.array([3j, 4.0], np.complex64)]) == [5.0]


def test_sizes_whose_squares_do_not_fit() -> None:
    small, large = np.array([3e-45, 0], "f"), np.array([3e38, 4e38 / 2], "f")
    found = norms.norms(MEMORY, [small, large, np.zeros(2, "f")])
    assert found == [exact(small), pytest.approx(exact(large), rel=1e-15), 0.0]
    assert norms.norms(MEMORY, [np.array([1e-200]), np.array([1e200])]) == [None, None]


def test_what_is_no_vector_in_memory_is_left() -> None:
    x = np.ones((4, 4), "f")
    assert norms.norms(MEMORY, [x, x[:, ::2], np.ones(2, "g")]) == [4.0, None, None]


def test_the_same_bits_however_it_is_shared() -> None:
    rng = np.random.default_rng(2)
    xs = [rng.standard_normal(size).astype("f") for size in SIZES]
    total, addresses = sum(SIZES), MEMORY.addresses(xs)
    whole = norms.norms(MEMORY, xs)
    for piece in (1000, norms.BLOCK, 40000):

        def run(kernel: Any, length: int, at: int, piece: int = piece) -> None:
            assert length == total
            for lo in reversed(range(0, length, piece)):
                kernel(lo, min(lo + piece, length), at)

        assert norms.norms_at("float32", array("q", addresses), SIZES, run) == whole


def test_nothing_is_read_behind_the_end() -> None:
    memory = np.full(64, 1e30, "f")
    memory[:33] = 1.0
    assert norms.norms(MEMORY, [memory[:33]]) == [math.sqrt(33)]
