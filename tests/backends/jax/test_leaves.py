"""What counts as an array, and the dtype in which a leaf is stepped."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamcore.backends.jax import leaves


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.ones(2), "float32"),
        (np.ones(2, "float16"), "float16"),
        (np.ones(2, jnp.bfloat16), "bfloat16"),
        (np.float32(1), "float32"),
        (1.0, "float32"),
        (1j, "complex64"),
        (jax.ShapeDtypeStruct((2,), jnp.bfloat16), "bfloat16"),
    ],
)
def test_lift(given: Any, dtype: str) -> None:
    found = leaves.lift(given)
    assert isinstance(found, jax.Array)
    assert (str(found.dtype), found.shape, found.weak_type) == (dtype, np.shape(given), False)


@pytest.mark.parametrize("given", [1, True, "text", None, jnp.ones(2)])
def test_what_is_not_lifted(given: Any) -> None:
    assert leaves.lift(given) is given


@pytest.mark.parametrize(
    ("p", "g", "wide"),
    [
        ("float32", "float32", "float32"),
        ("bfloat16", "float32", "float32"),
        ("float32", "bfloat16", "float32"),
        ("bfloat16", "float16", "float32"),
        ("complex64", "float32", "complex64"),
        ("float32", "complex64", "float32"),  # which the step refuses
        ("float32", "int32", "float32"),
    ],
)
def test_the_wide_dtype(p: str, g: str, wide: str) -> None:
    assert leaves.wide_dtype(jnp.ones(2, p), jnp.ones(2, g)) == wide


def test_the_wide_dtype_without_a_gradient() -> None:
    assert leaves.wide_dtype(jnp.ones(2, "bfloat16"), None) == "bfloat16"
    assert leaves.wide_dtype(None, None) is None


def test_widened() -> None:
    params = {"a": jnp.ones(1, "bfloat16"), "b": jnp.ones(1), "c": None}
    grads = {"a": jnp.ones(1), "b": jnp.ones(1, "float16"), "c": None}
    for tree in leaves.widened(params, grads):
        assert {k: x and x.dtype for k, x in tree.items()} == {"a": "float32", "b": "float32", "c": None}


def test_aligned_leaves_out_what_has_no_state() -> None:
    model = {"w": np.ones(2), "activation": jax.nn.relu, "n": 3}
    found = leaves.aligned(model, {"w": jnp.ones(2), "activation": None, "n": None})
    assert (found["activation"], found["n"]) == (None, None)
    assert isinstance(found["w"], jax.Array)
