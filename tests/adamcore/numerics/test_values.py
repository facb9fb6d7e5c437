"""Counted elements are those that steps, really made, leave as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrow_arrays import NARROW, as_float64, narrow_array

from adamcore import Adam
from adamcore.numerics import Finding, values


def found(adam: Adam, params: Any) -> dict[str, Finding]:
    return {finding.what: finding for finding in adam.check_numerics(params).findings}


def after_a_full_step(adam: Adam, p: Any, g: Any) -> np.ndarray:
    """Return the parameter after a step of length lr, which b1 = b2 = eps = 0 make exactly that."""
    return as_float64(adam.step(p, g, adam.init(p))[0])


@pytest.mark.parametrize(("library", "dtype"), NARROW)
@pytest.mark.parametrize("lr", [1e-3, 2.0**-9, 3e-5, 1.5])
def test_stuck_elements_are_those_that_no_step_moves(library: str, dtype: str, lr: float) -> None:
    start = np.random.default_rng(0).normal(size=500) * 2.0 ** np.arange(-20, 5).repeat(20)
    p = narrow_array(library, [*start, 1.0, 0.5, 0.25, 2.0, -4.0, 0.0], dtype)
    adam = Adam(lr=lr, b1=0.0, b2=0.0, eps=0.0)
    old = as_float64(p)
    down, up = (
        after_a_full_step(adam, p, narrow_array(library, np.full(len(old), sign), dtype)) == old
        for sign in (1.0, -1.0)
    )
    finding = found(adam, p).get("step-lost")
    stuck = (down & up).sum()
    if finding is None:
        assert stuck == 0
        return
    numbers = finding.numbers
    assert (numbers["lost"], numbers["one_way"]) == (stuck, (down ^ up).sum())
    assert numbers["fraction"] == stuck / len(old)
    assert (down & up)[abs(old) > numbers["above"]].all()
    assert not (down & up)[abs(old) < numbers["above"] / 2].any()


@pytest.mark.parametrize(("library", "dtype"), NARROW)
@pytest.mark.parametrize("decay", [1e-5, 3e-3, 5e-8])
def test_undecayed_elements_are_those_that_decay_alone_does_not_move(
    library: str, dtype: str, decay: float
) -> None:
    p = narrow_array(library, np.random.default_rng(1).normal(size=500), dtype)
    adam = Adam(lr=1e-3, weight_decay=decay / 1e-3, decay="decoupled")
    q, _ = adam.step(p, p - p, adam.init(p))
    finding = found(adam, p).get("decay-lost")
    assert (0 if finding is None else finding.numbers["lost"]) == (as_float64(p) == as_float64(q)).sum()


def test_a_decay_that_enters_the_gradient_is_not_lost() -> None:
    p = np.ones(3, dtype=np.float16)
    assert "decay-lost" not in found(Adam(weight_decay=1e-6), p)


def test_long_arrays_are_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch, lib: Any) -> None:
    p = lib(np.linspace(-2, 2, 24).reshape(2, 3, 4), "float32")
    adam = Adam(lr=1e-8)
    whole = found(adam, p)["step-lost"]
    monkeypatch.setattr(values, "BLOCK", 7)
    assert found(adam, p)["step-lost"] == whole


def test_parts_of_complex_numbers_are_elements() -> None:
    p = np.array([1 + 1e-9j, 1e-9 + 0j], dtype=np.complex64)
    numbers = found(Adam(lr=1e-9), p)["step-lost"].numbers
    assert (numbers["elements"], numbers["lost"]) == (4, 1)


def test_what_is_not_finite_is_counted_apart() -> None:
    p = np.array([np.nan, np.inf, 1e-3, 1e-3], dtype=np.float32)
    report = found(Adam(), p)
    assert report["not-finite"].numbers["lost"] == 2
    assert "step-lost" not in report


def test_parameters_that_require_gradients_record_nothing() -> None:
    torch = pytest.importorskip("torch")
    p = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    assert found(Adam(), {"w": p})["step-lost"].path == "params['w']"
    assert p.grad_fn is None


def test_empty_arrays_and_an_lr_of_0_lose_nothing() -> None:
    assert found(Adam(), np.zeros((0, 3), dtype=np.float32)) == {}
    assert found(Adam(lr=0.0), np.ones(3, dtype=np.float32)) == {}
