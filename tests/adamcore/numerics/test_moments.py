"""The bounds of moments are where the moments of real steps vanish, overflow and stop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrow_arrays import as_float64, narrow_array

from adamcore import Adam
from adamcore.numerics import Finding

LIBRARIES = ("numpy", "torch", "jax")
NARROW = [("numpy", "float16"), ("torch", "float16"), ("torch", "bfloat16"), ("jax", "bfloat16")]


def found(adam: Adam, params: Any) -> dict[str, Finding]:
    return {finding.what: finding for finding in adam.check_numerics(params).findings}


def late(adam: Adam, p: Any, **parts: Any) -> Any:
    """Return a state whose corrections are 1, with these moments."""
    state = adam.init(p)
    return state._replace(t=state.t + 10**6, **parts)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("b2", [0.999, 0.95])
def test_v_vanishes_where_the_report_says(library: str, b2: float) -> None:
    adam = Adam(lr=1.0, b2=b2, v_dtype="float16")
    p = narrow_array(library, np.zeros(2), "float32")
    numbers = found(adam, p)["v-underflow"].numbers
    g = narrow_array(library, numbers["g"] * np.array([1 - 1e-3, 1 + 1e-3]), "float32")
    _, state = adam.step(p, g, adam.init(p))
    assert (as_float64(state.v) == 0).tolist() == [True, False]

    state = late(adam, p)
    for _ in range(200):
        old = as_float64(p)
        p, state = adam.step(p, g, state)
    assert abs(as_float64(p) - old)[0] == pytest.approx(numbers["steady"], rel=2e-3)
    old = as_float64(p)
    p, state = adam.step(p, g * 0, state)
    assert abs(as_float64(p) - old)[0] == pytest.approx(numbers["ended"], rel=2e-3)


def test_a_flushed_v_vanishes_below_the_least_normal_number() -> None:
    adam = Adam(lr=1.0, eps=1e-30)
    p = narrow_array("jax", np.zeros(2), "float32")
    g = found(adam, p)["v-underflow"].numbers["g"]
    _, state = adam.step(p, narrow_array("jax", [g * 0.999, g * 1.001], "float32"), adam.init(p))
    assert (as_float64(state.v) == 0).tolist() == [True, False]
    assert "v-underflow" not in found(Adam(), p)  # an eps of 1e-8 covers it


@pytest.mark.parametrize("library", LIBRARIES)
def test_m_vanishes_where_the_report_says(library: str) -> None:
    adam = Adam(m_dtype="float16")
    p = narrow_array(library, np.zeros(2), "float32")
    g = found(adam, p)["m-underflow"].numbers["g"]
    g = narrow_array(library, g * np.array([1 - 1e-3, 1 + 1e-3]), "float32")
    _, state = adam.step(p, g, adam.init(p))
    assert (as_float64(state.m) == 0).tolist() == [True, False]


@pytest.mark.parametrize("library", LIBRARIES)
def test_v_overflows_where_the_report_says(library: str) -> None:
    adam = Adam(b2=0.99, v_dtype="float16")
    p = narrow_array(library, np.zeros(2), "float32")
    g = found(adam, p)["v-overflow"].numbers["g"]
    g = narrow_array(library, g * np.array([1 - 1e-3, 1 + 1e-3]), "float32")
    state = adam.init(p)
    for _ in range(1000):
        p, state = adam.step(p, g, state)
    assert np.isfinite(as_float64(state.v)).tolist() == [True, False]
    assert np.isnan(as_float64(p)).tolist() == [False, True]
    assert "v-overflow" not in found(Adam(), p)


def test_v_stalls_where_the_report_says(narrow: tuple[str, str]) -> None:
    library, dtype = narrow
    b2 = 0.999 if dtype == "bfloat16" else 0.9998
    adam = Adam(b2=b2, v_dtype=dtype)
    p = narrow_array(library, np.zeros(303), "float32")
    numbers = found(adam, p)["v-stalls"].numbers
    mean = means(numbers["low"])
    g = narrow_array(library, np.sqrt(mean), "float32")
    start = np.where(mean < mean[150], 0.0, 0.9 * numbers["low"]) * mean
    state = late(adam, p, v=narrow_array(library, start, dtype))
    for _ in range(3000 if dtype == "float16" else 600):
        _, state = adam.step(p, g, state)
    ended = as_float64(state.v)
    for _ in range(3):
        _, state = adam.step(p, g, state)
    assert (as_float64(state.v) == ended).all()
    ratio, spacing = ended / as_float64(g) ** 2, 2.0 ** (-7 if dtype == "bfloat16" else -10)
    assert ratio.min() == pytest.approx(numbers["low"], rel=2 * spacing)
    assert ratio.max() == pytest.approx(numbers["high"], rel=2 * spacing)
    assert numbers["longest"] == pytest.approx(numbers["low"] ** -0.5)

    _, state = adam.step(p, g * 0, late(adam, p, m=state.m, v=state.v))
    falls = as_float64(state.v) < ended
    assert "v never falls" in found(adam, p)["v-stalls"].message
    assert not falls.any()


def means(low: float) -> np.ndarray:
    """Return what is averaged: numbers of all kinds, and two at which it stops worst and best."""
    r = 1 / low - 1
    return np.array([*np.geomspace(1.0, 4.0, 301), (1 + r) * (1 - 1e-4), (2 + r) * (1 - 1e-4)])


@pytest.fixture(params=NARROW, ids="-".join)
def narrow(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


def test_m_stalls_where_the_report_says(narrow: tuple[str, str]) -> None:
    library, dtype = narrow
    adam = Adam(b1=0.99 if dtype == "bfloat16" else 0.998, m_dtype=dtype)
    p = narrow_array(library, np.zeros(303), "float32")
    numbers = found(adam, p)["m-stalls"].numbers
    g = narrow_array(library, means(numbers["low"]), "float32")
    state = late(adam, p, m=narrow_array(library, 0.9 * numbers["low"] * means(numbers["low"]), dtype))
    for _ in range(800):
        _, state = adam.step(p, g, state)
    ratio, spacing = as_float64(state.m) / as_float64(g), 2.0 ** (-7 if dtype == "bfloat16" else -10)
    assert ratio.min() == pytest.approx(numbers["low"], rel=2 * spacing)
    assert ratio.max() == pytest.approx(numbers["high"], rel=2 * spacing)


@pytest.mark.parametrize("library", LIBRARIES)
def test_wide_moments_stall_where_a_beta_is_almost_1(library: str) -> None:
    """At v = 1.5 the rest has to be more than r: a value on each side, without the steps to it."""
    adam = Adam(b2=1 - 1e-7)
    p = narrow_array(library, np.zeros(2), "float32")
    numbers = found(adam, p)["v-stalls"].numbers
    r = 1 / numbers["low"] - 1
    g = narrow_array(library, np.sqrt(1.5 + r * np.array([0.99, 1.01])), "float32")
    v = narrow_array(library, [1.5, 1.5], "float32")
    _, state = adam.step(p, g, late(adam, p, v=v))
    assert (as_float64(state.v) > 1.5).tolist() == [False, True]


def test_what_is_wide_enough_has_no_finding() -> None:
    p = np.zeros(2, dtype=np.float16)
    assert found(Adam(moment_dtype="float32"), p) == {}
    assert found(Adam(), p.astype(np.float32)) == {}


@pytest.mark.parametrize("epsilon", ["outside-corrected", "outside-uncorrected", "inside-corrected"])
def test_an_eps_of_the_size_covers_a_v_that_vanishes(epsilon: Any) -> None:
    p = np.zeros(1, dtype=np.float32)
    eps = 6e-3 if epsilon.startswith("outside") else 4e-5
    assert "v-underflow" not in found(Adam(v_dtype="float16", epsilon=epsilon, eps=eps), p)
    assert "v-underflow" in found(Adam(v_dtype="float16", epsilon=epsilon, eps=eps / 40), p)


def test_a_beta_that_rounds_to_one_is_said() -> None:
    p = narrow_array("torch", np.zeros(1), "float32")
    for b2, rounds in ((0.999, True), (1 - 2.0**-9, True), (0.998, False)):
        message = found(Adam(b2=b2, v_dtype="bfloat16"), p)["v-stalls"].message
        assert ("(b2 itself rounds to 1)" in message) is rounds
        ml_dtypes = pytest.importorskip("ml_dtypes")
        assert (float(ml_dtypes.bfloat16(b2)) == 1.0) is rounds


def test_moments_in_8_bits_lose_nothing_to_zero() -> None:
    params = {"w": np.full(70, 0.1, np.float16)}
    narrow: Any = {"moment_dtype": "float16", "p_storage": "split"}
    assert {f.what for f in Adam(**narrow).check_numerics(params).findings} >= {"v-underflow", "v-overflow"}
    coded = Adam(**narrow, m_storage="companded8", v_storage="companded8")
    assert not coded.check_numerics(params)
