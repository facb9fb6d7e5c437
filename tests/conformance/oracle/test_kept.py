"""The transcription of STORE.1 to STORE.7 gives the bits of adamcore.storage, of which it has no line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import storage_runs

from adamcore.conformance.oracle.kept import (
    RESTS,
    Draw,
    disagreement,
    drawn,
    kept,
    neighbours,
    shown,
    value_of,
)
from adamcore.storage.policies import Storage, load, store
from adamcore.storage.random_bits import key_of

WORDS = storage_runs.words_of("numpy")
X = storage_runs.samples()
WITH_REST = [case for case in storage_runs.CASES if case[0] in RESTS]


def same(a: Any, b: Any) -> bool:
    return bool(((a == b) | (np.isnan(a) & np.isnan(b))).all())


@pytest.mark.parametrize(("policy", "dtype"), WITH_REST)
def test_what_is_kept_is_what_the_policies_keep(policy: Any, dtype: str) -> None:
    with np.errstate(all="ignore"):
        p, rest = store(WORDS, Storage(policy, dtype), X, None)
        x = load(WORDS, Storage(policy, dtype), p, rest)
        assert rest is not None
        assert same(x, kept(policy, X.astype(float), dtype))
        assert same(x, value_of(policy, p, rest, dtype))
        assert disagreement(policy, p, rest, dtype) is None
        if policy in ("master", "split"):
            assert same(p, shown(policy, X, dtype))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 2)])
@pytest.mark.parametrize(("policy", "dtype"), WITH_REST)
def test_a_shape_is_kept(policy: Any, dtype: str, shape: tuple[int, ...]) -> None:
    with np.errstate(all="ignore"):
        p, rest = store(WORDS, Storage(policy, dtype), np.full(shape, 0.3, dtype=np.float32), None)
    assert rest is not None
    assert np.shape(value_of(policy, p, rest, dtype)) == shape
    assert np.shape(kept(policy, np.full(shape, 0.3), dtype)) == shape
    assert np.shape(shown(policy, np.full(shape, 0.3), dtype)) == shape
    assert disagreement(policy, p, rest, dtype) is None


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_numbers_are_drawn_as_the_policies_draw_them(dtype: str) -> None:
    with np.errstate(all="ignore"):
        p, _ = store(WORDS, Storage("stochastic", dtype), X, key_of(5, 2, 9))
        assert same(p, drawn(X.astype(float), dtype, Draw(5, 2, 9)))
        assert not same(p, drawn(X.astype(float), dtype, Draw(5, 2, 10)))
        low, high = neighbours(X.astype(float), dtype)
    assert ((p == low) | (p == high) | np.isnan(X)).all()


@pytest.mark.parametrize(("policy", "dtype"), WITH_REST)
def test_a_parameter_beside_its_own_is_seen(policy: Any, dtype: str) -> None:
    x = np.linspace(1.0, 2.0, 50, dtype=np.float32)
    p, rest = store(WORDS, Storage(policy, dtype), x, None)
    assert rest is not None
    distance = 2.0**-7 if dtype == "bfloat16" else 2.0**-10
    off, more = p.copy(), rest.copy()
    off[7] += distance
    more[7] += distance if policy == "kahan" else 0
    found = disagreement(policy, off if policy == "master" else p, more, dtype)
    if policy in ("split", "split8"):  # every p is that of some value
        assert disagreement(policy, off, rest, dtype) is None
    else:
        assert found is not None
        assert found[0] == (7,)


def test_neighbours_of_edges() -> None:
    assert [x.tolist() for x in neighbours(np.array([65510.0, -65510.0, 2.0**-25]), "float16")] == [
        [65504.0, -np.inf, 0.0],
        [np.inf, -65504.0, 2.0**-24],
    ]
