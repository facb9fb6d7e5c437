"""Roots rounded to whole numbers by estimates: the bits of two roundings, at squares and beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from applied_words import applied

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.roots import WHOLE, fused, nearest_whole, whole_part
from adamcore.backends.kernels.words import Value

pytest.importorskip("llvmlite")

LANES = 64


def numbers() -> Any:
    """Return numbers from 1 to 255**2: every square of a whole number and of a middle with its neighbours."""
    roots = np.arange(2, 511) / 2
    near = (roots**2).astype(np.float32).view(np.int32)[:, None] + np.arange(-40, 41, dtype=np.int32)
    some = np.random.default_rng(1).uniform(1, 255**2, 1 << 16).astype(np.float32)
    found = np.concatenate([near.ravel().view(np.float32), some])
    found = found[(found >= 1) & (found <= 255**2)]
    return np.resize(found, -(-found.size // LANES) * LANES)


def codes(z: Any) -> Any:
    """Return the codes by the rule: the root rounded in float32, and to the nearest whole number."""
    return np.rint(np.sqrt(z)).astype(np.uint8)


@pytest.mark.skipif(
    not llvm.native_tables(), reason="this processor has no estimates of 16 numbers at a time"
)
def test_the_codes_are_those_of_two_roundings() -> None:
    def function(n: Any, w: Any) -> Any:
        z = n.floats(w)
        return nearest_whole(z, whole_part(z))

    z = numbers()
    assert (applied(function, z, LANES).astype(np.uint8) == codes(z)).all()


@pytest.mark.skipif(not llvm.native_tables(), reason="this processor has no tables of 16 numbers")
@pytest.mark.parametrize("off", [-0.25, -(2.0**-10), 0.0, 2.0**-10, 0.25])
def test_any_estimate_will_do_that_is_off_by_a_quarter(off: float) -> None:
    """Makers of processors are free in the last digits of an estimate."""

    def function(n: Any, w: Any) -> Any:
        z = n.floats(w)
        root = n.root(z) + off
        one = Value(z.lines, z.lines.constant(1.0, "float"), "float")
        return nearest_whole(z, fused(root, one, z.lines.constant(WHOLE, "float")))

    z = numbers()
    assert (applied(function, z, LANES).astype(np.uint8) == codes(z)).all()
