"""JAX's backend: what the host sees of arrays, dtypes with and without 64 bits, and trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import backend  # noqa: E402


def test_the_host_reads_no_tracer() -> None:
    assert backend.host(jnp.asarray(3, "int32")) == 3
    seen: list[Any] = []

    def inside(x: Any) -> Any:
        seen.append(backend.host(x))
        return x

    jax.jit(inside)(jnp.ones(()))
    assert seen == [None]


def test_float64_needs_a_switch() -> None:
    like = jnp.ones(1)
    with jax.enable_x64(False):
        assert backend.coefficient_dtype(like) == "float32"
        with pytest.raises(LookupError, match="jax_enable_x64"):
            backend.dtype_named("float64", like)
    with jax.enable_x64(True):
        assert backend.coefficient_dtype(like) == "float64"
        assert backend.dtype_named("float64", like) == "float64"


def test_kinds() -> None:
    kinds = {name: backend.kind(jnp.dtype(name)) for name in ("bfloat16", "complex64", "int32")}
    assert kinds == {"bfloat16": "real", "complex64": "complex", "int32": "other"}
    with pytest.raises(LookupError, match="bfloat16"):
        backend.complex_of(jnp.dtype("bfloat16"), jnp.ones(1))


def test_none_is_a_leaf() -> None:
    leaves, structure = backend.flatten({"a": None, "b": jnp.ones(1)})
    assert leaves[0] is None
    assert backend.paths({"a": None, "b": jnp.ones(1)}) == ["['a']", "['b']"]
    assert backend.unflatten(structure, [1, 2]) == {"a": 1, "b": 2}


def test_parts_do_not_reach_into_each_other() -> None:
    z = backend.join(jnp.asarray([1.0]), jnp.asarray([np.inf]), jnp.dtype("complex64"))
    assert (z.real[0], z.imag[0]) == (1.0, np.inf)
