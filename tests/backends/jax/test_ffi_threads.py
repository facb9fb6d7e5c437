"""A large step in the threads of XLA's own pool."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fast import gradients

from adamcore import Adam

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import ffi  # noqa: E402


def large(seed: int) -> list[np.ndarray]:
    """More than a piece for each thread, in arrays that don't end where pieces do."""
    return gradients(seed, "float32", [(400_003,), (5,), (3, 100_001), (), (200_000,)])


def test_in_threads_the_bits_are_numpys() -> None:
    """Several steps at once, more than XLA's pool has threads: all pieces are done, and once."""
    if not ffi.available():
        pytest.skip("no llvmlite, or an interface that is not known here")
    adam = Adam(lr=0.1)
    want = large(0)
    wanted = adam.init(want)
    for k in range(1, 4):
        want, wanted = adam.step(want, large(k), wanted)

    def run(_: int) -> Any:
        ours = [jnp.asarray(p) for p in large(0)]
        state = adam.init(ours)
        for k in range(1, 4):
            ours, state = adam.step(ours, [jnp.asarray(g) for g in large(k)], state, donate=True)
        return ours, state.v

    with ThreadPoolExecutor(4) as pool:
        for ours, v in pool.map(run, range(6)):
            for got, exact in zip((*ours, *v), (*want, *wanted.v), strict=True):
                np.testing.assert_array_equal(got, exact)
