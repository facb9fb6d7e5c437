"""Coefficients that the dtype of the arithmetic does not hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam


@pytest.mark.parametrize(
    ("fields", "words", "becomes"),
    [
        ({"lr": 1e-50}, "the length of the step", "becomes 0"),
        ({"lr": 1e300}, "the length of the step", "becomes infinite"),
        (
            {"lr": 1e-30, "weight_decay": 1e-20, "decay": "decoupled"},
            "the part of p that decays",
            "becomes 0",
        ),
        ({"epsilon": "inside-corrected", "eps": 1e-43}, "the epsilon under the root", "becomes 0"),
    ],
)
def test_each_is_named(fields: Any, words: str, becomes: str) -> None:
    p = np.zeros(1, dtype=np.float32)
    [finding] = [f for f in Adam(**fields).check_numerics(p).findings if f.what == "coefficient-lost"]
    assert words in finding.message
    assert becomes in finding.message
    with np.errstate(all="ignore"):
        assert np.float32(finding.numbers["value"]) in (0, np.inf)


def test_a_step_of_length_0_moves_nothing() -> None:
    p, g, adam = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32), Adam(lr=1e-46)
    assert adam.step(p, g, adam.init(p))[0] == 0


def test_ordinary_ones_are_not() -> None:
    for nesterov in ("none", "dozat", "optax", "same-t"):
        assert not Adam(nesterov=nesterov).check_numerics(np.zeros(1, dtype=np.float32))
