"""The loop of a program, as one text for vectors and one for what is left of them."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.kernels import llvm


def test_the_sign_of_a_negative_zero_is_zero() -> None:
    """As in NumPy and in PyTorch: cautious decay has it decide which zero an element becomes."""
    pytest.importorskip("llvmlite")
    adam = Adam(weight_decay=0.1, decay="decoupled-unscaled", decay_order="after", cautious_decay=True)
    p = np.full(33, -0.0, np.float32)
    g, state = np.zeros_like(p), adam.init(p)
    with llvm.switched_off():
        want, _ = adam.step(p, g, state)
    got, _ = adam.step(p, g, state)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
