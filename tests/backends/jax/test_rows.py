"""Rows of JAX's arrays: as many as there are indices, those that are over beyond the last one."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from adamcore.backends.jax.rows import ROWS


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
