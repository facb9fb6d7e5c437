"""Moments rounded at random (STORE.16): the bits of the specification, unbiased and of each part alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from storage_runs import LIBRARIES, array, numbers, samples, words_of

from adamcore import Adam
from adamcore.conformance.oracle.kept import Draw, drawn, neighbours
from adamcore.errors import HyperparameterError
from adamcore.storage.random_bits import PARTS, at_random, key_of

pytest.importorskip("ml_dtypes")
ALARM = 1e-9  #: how often chance fails a test that counts

AT_RANDOM: Any = {"m_storage": "stochastic", "v_storage": "stochastic"}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", PARTS)
def test_the_bits_are_those_of_the_rule(name: str, dtype: str) -> None:
    x = samples(4096)
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        found = at_random(words_of("numpy"), name, x, dtype, key_of(5, 2, 9))
        wanted = drawn(x, dtype, Draw(5, 2, 9, PARTS[name]))
    assert (found == wanted).all()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_step_has_the_same_bits_in_every_library(library: str, dtype: str) -> None:
    """Two leaves, with the clock of each step; b1 and b2 are powers of 2, so no library rounds otherwise."""
    adam = Adam(b1=0.5, b2=0.75, seed=7, amsgrad="uncorrected", **AT_RANDOM)
    rng = np.random.default_rng(0)
    shapes = ((37, 5), (300,))
    starts = [np.ones(shape) for shape in shapes]
    given = [[rng.standard_normal(shape) for shape in shapes] for _ in range(3)]

    def run(library: str) -> list[Any]:
        params: Any = [array(library, x, dtype) for x in starts]
        state = adam.init(params)
        for grads in given:
            params, state = adam.step(params, [array(library, g, dtype) for g in grads], state)
        return [numbers(x) for tree in (state.m, state.v, state.v_max) for x in tree]

    for found, wanted in zip(run(library), run("numpy"), strict=True):
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("names", ["wb", "bw"])
def test_the_order_in_which_a_dictionary_was_filled_changes_no_bit(library: str, names: str) -> None:
    """PyTorch lists "w" first if it was put in first, NumPy and JAX list "b" first."""
    adam = Adam(b1=0.5, b2=0.75, seed=7, p_storage="stochastic", **AT_RANDOM)
    grads = {"w": np.linspace(-1.0, 1.0, 300), "b": np.linspace(0.5, 2.0, 300)}

    def run(library: str, names: str) -> list[Any]:
        params: Any = {name: array(library, np.ones(300), "bfloat16") for name in names}
        g = {name: array(library, grads[name], "bfloat16") for name in names}
        params, state = adam.step(params, g, adam.init(params))
        return [numbers(tree[name]) for tree in (params, state.m, state.v) for name in "bw"]

    for found, wanted in zip(run(library, names), run("numpy", "bw"), strict=True):
        assert found.tobytes() == wanted.tobytes()


def draws(adam: Adam, steps: int) -> dict[str, Any]:
    """Return for m and v whether the upper neighbour was taken, less its probability, by step and element."""
    rng, n = np.random.default_rng(1), 2048
    params: Any = [np.ones(n, "bfloat16")]
    state = adam.init(params)
    found: dict[str, list[Any]] = {"m": [], "v": []}
    for _ in range(steps):
        g = (1 + rng.random(n)).astype("bfloat16")
        wide = g.astype(np.float64)
        before = {"m": (wide, adam.b1, state.m), "v": (wide * wide, adam.b2, state.v)}
        params, state = adam.step(params, [g], state)
        for name, (x, b, old) in before.items():
            exact = b * old[0].astype(np.float64) + (1 - b) * x
            low, high = neighbours(exact, "bfloat16")
            got = getattr(state, name)[0].astype(np.float64)
            assert ((got == low) | (got == high)).all()
            with np.errstate(invalid="ignore"):
                fraction = (exact - low) / (high - low)
            found[name].append(np.where(high > low, (got == high) - fraction, 0.0))
    return {name: np.array(rows) for name, rows in found.items()}


def test_roundings_are_unbiased_and_independent() -> None:
    """Each sum is a martingale with steps of length 1: beyond the limit once in 1/ALARM runs (Azuma)."""
    found = draws(Adam(b1=0.875, b2=0.9375, **AT_RANDOM), 12)
    m, v = found["m"], found["v"]
    sums = [
        *(x for x in (m, v)),
        m * v,
        *(x[:, lag:] * x[:, :-lag] for x in (m, v) for lag in (1, 2, 4)),
        *(x[1:] * x[:-1] for x in (m, v)),
    ]
    for x in sums:
        assert abs(x.sum()) <= math.sqrt(x.size * math.log(2 / ALARM) / 2)


def test_a_moment_is_the_same_however_p_is_kept() -> None:
    """The moments of the first step depend on the gradient alone, and have bits apart from those of p."""
    states = []
    for policy in ("plain", "stochastic", "split"):
        adam = Adam(p_storage=policy, seed=3, **AT_RANDOM)
        p = np.ones(500, "bfloat16")
        g = np.linspace(0.1, 2, 500).astype("bfloat16")
        states.append(adam.step(p, g, adam.init(p))[1])
    for state in states[1:]:
        assert state.m.tobytes() == states[0].m.tobytes()
        assert state.v.tobytes() == states[0].v.tobytes()


def test_v_follows_where_rounding_to_the_nearest_stands_still() -> None:
    after = {}
    for policy in ("plain", "stochastic"):
        adam = Adam(v_storage=policy)
        p, g = np.ones(1024, "bfloat16"), np.full(1024, 0.5, "bfloat16")
        state = adam.init(p)._replace(v=np.ones(1024, "bfloat16"))
        for _ in range(300):
            p, state = adam.step(p, g, state)
        after[policy] = float(state.v.astype(np.float64).mean())
    wanted = 0.25 + 0.75 * 0.999**300
    assert after["plain"] == 1.0
    assert abs(after["stochastic"] - wanted) < 0.01


def test_wide_moments_are_kept_as_they_are() -> None:
    p, g = np.ones(50, np.float32), np.linspace(-1, 1, 50, dtype=np.float32)
    found = []
    kept: Any
    for kept in ({}, AT_RANDOM):
        adam = Adam(**kept)
        found.append(adam.step(p, g, adam.init(p))[1])
    assert found[0].m.tobytes() == found[1].m.tobytes()
    assert found[1].m_scale is None


def test_another_narrow_dtype_is_refused() -> None:
    p = np.ones(5, np.float32)
    with pytest.raises(HyperparameterError, match="m_storage='stochastic' with a moment of float8_e5m2"):
        Adam(m_dtype="float8_e5m2", m_storage="stochastic").init(p)
