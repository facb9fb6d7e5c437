"""Rows of JAX's arrays: as many as there are indices, those that are over beyond the last one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamcore import Adam, Clip, Rows
from adamcore.backends.jax import adamw
from adamcore.backends.jax.rows import ROWS

CLIP = Clip(global_norm=1.0)


def test_sums() -> None:
    values = jnp.asarray([[1.0], [2.0], [4.0], [8.0]], "float16")
    rows, sums = ROWS.sums(jnp.asarray([3, 0, 3, -1]), values, 5, jnp.dtype("float32"))
    assert rows.tolist() == [0, 3, 5, 5]
    assert (sums.tolist(), sums.dtype) == ([[2.0], [5.0], [0.0], [0.0]], "float32")
    assert ROWS.reach(jnp.asarray([3, 0])) == (0, 3)
    assert jax.jit(lambda i: jnp.asarray(ROWS.reach(i) is None))(jnp.asarray([3]))


def test_put() -> None:
    x = jnp.zeros(3, "bfloat16")
    new = ROWS.put(x, jnp.asarray([1, 3]), jnp.asarray([2.0, 9.0]), False)
    assert (new.tolist(), new.dtype) == ([0, 2, 0], "bfloat16")
    assert ROWS.take(new, jnp.asarray([1, 3])).tolist() == [2, 0]


def test_listed() -> None:
    assert ROWS.listed(jnp.asarray([1, 2]), jnp.zeros((2, 3))).tolist() == [[False], [True]]


def trees() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return parameters, gradients of which one is by rows, and the same dense."""
    params = {"w": jnp.ones((4, 2)), "b": jnp.ones(3)}
    g = {
        "w": Rows(jnp.asarray([1, 1]), jnp.asarray([[1.0, 0.0], [2.0, 0.0]]), "absent"),
        "b": 4 * jnp.eye(3)[0],
    }
    dense: dict[str, Any] = {"w": jnp.zeros((4, 2)).at[1, 0].set(3.0), "b": g["b"]}
    return params, g, dense


def test_rows_are_arguments_of_a_compiled_program() -> None:
    params, g, dense = trees()
    core = Adam(b1=0.5)
    step = jax.jit(lambda p, g, s: core.step(p, g, s, clip=CLIP))
    _, state = step(params, g, core.init(params))
    np.testing.assert_allclose(state.m["w"], dense["w"] / 10, rtol=1e-6)


@pytest.mark.slow
def test_rows_are_gradients_of_a_transformation() -> None:
    """Its leaves without decay are stepped apart, and the norm is that of all."""
    params, g, dense = trees()
    tx = adamw(0.1, mask={"w": False, "b": True}, clip=CLIP)
    want, _ = tx.update(dense, tx.init(params), params)
    updates, state = tx.update(g, tx.init(params), params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), updates, want)
    copy = jax.tree.map(jnp.copy, params)
    _, stepped = tx.step(copy, g, tx.init(params))
    np.testing.assert_allclose(stepped[0].mu["w"], state[0].mu["w"], rtol=1e-6)
