"""Which leaves of a packed state take part, and which states one call can step."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore import Adam

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import ffi, pack  # noqa: E402
from adamcore.backends.jax.packed import leaves  # noqa: E402

ONE, TWO = jnp.ones(2), jnp.ones(3)
PARAMS: Any = {"a": ONE, "b": None, "c": TWO}
STATE = pack(Adam().init(PARAMS))


def test_who_takes_part() -> None:
    layout: Any = STATE.m.layout
    found = leaves.leaves_of(Adam(), PARAMS, {"a": ONE, "b": None, "c": TWO}, layout)
    assert found is not None
    assert found.moving == (0, 2)
    assert found.clocks(layout) == [0, 1]
    assert found.those(["x", "y", "z"]) == ["x", "z"]
    found = leaves.leaves_of(Adam(), PARAMS, {"a": None, "b": None, "c": TWO}, layout)
    assert found is not None
    assert found.moving == (2,)
    assert found.replaced(["new"]) == [ONE, None, "new"]
    whole = leaves.leaves_of(Adam(), [ONE], [ONE], pack(Adam().init([ONE])).m.layout)
    assert whole is not None
    assert (whole.moving, list(whole.indices), whole.replaced(["new"])) == (None, [0], ["new"])


@pytest.mark.parametrize(
    ("adam", "params", "grads"),
    [
        (Adam(), PARAMS, {"a": ONE, "c": TWO}),  # another tree
        (Adam(), {"a": ONE, "c": TWO}, PARAMS),
        (Adam(), PARAMS, {"a": ONE, "b": ONE, "c": TWO}),  # a gradient of nothing
        (
            Adam(),
            {**PARAMS, "a": TWO},
            {"a": None, "b": None, "c": TWO},
        ),  # another shape, though it stands still
        (Adam(), {**PARAMS, "a": None}, {"a": None, "b": None, "c": TWO}),
        (Adam(), PARAMS, {"a": None, "b": None, "c": None}),  # nobody takes part
        (Adam(missing="error"), PARAMS, {"a": None, "b": None, "c": TWO}),
        (Adam(missing="zero"), PARAMS, {"a": None, "b": None, "c": TWO}),
    ],
    ids=range(8),
)
def test_what_is_looked_at_leaf_by_leaf(adam: Adam, params: Any, grads: Any) -> None:
    assert leaves.leaves_of(adam, params, grads, STATE.m.layout) is None


def test_which_states() -> None:
    found = leaves.vectors_of(Adam(), STATE)
    assert found is not None
    assert list(found) == ["t", "m", "v"]
    others: list[tuple[Adam, Any]] = [
        (Adam(amsgrad="uncorrected"), STATE),
        (Adam(clock="global"), STATE),
        (Adam(), pack(Adam(clock="global").init(PARAMS))),
        (Adam(), pack(Adam(nesterov="dozat").init(PARAMS))),
        (Adam(), pack(Adam().init({"a": ONE, "b": jnp.ones(2, "bfloat16")}))),
        (Adam(), STATE._replace(v=pack(Adam().init([ONE])).v)),
        (Adam(), STATE._replace(t=STATE.m)),
    ]
    for adam, state in others:
        assert leaves.vectors_of(adam, state) is None


@pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")
def test_which_dtypes() -> None:
    float32, bfloat16, complex64 = map(jnp.dtype, ("float32", "bfloat16", "complex64"))
    found = leaves.format_of(Adam(moment_dtype="float32"), bfloat16, float32, float32)
    assert found is not None
    assert (found.work, found.p, found.m) == ("float32", "bfloat16", "float32")
    assert leaves.format_of(Adam(), bfloat16, float32, float32) is None
    assert leaves.format_of(Adam(), complex64, complex64, complex64) is None
    assert leaves.format_of(Adam(p_storage="split"), bfloat16, bfloat16, bfloat16) is None
