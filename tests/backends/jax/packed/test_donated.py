"""Packed states outside of jit: one call a step, with the bits of the step of an unpacked state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import some
from fast import adams

from adamcore import Adam

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import bits_of, many, packed_alone  # noqa: E402

from adamcore.backends.jax import ffi, pack, unpack  # noqa: E402
from adamcore.backends.jax.jit_program import JitProgram  # noqa: E402
from adamcore.backends.jax.packed import donated  # noqa: E402

pytestmark = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")
KINDS = [adam for adam in adams(12) if adam.nesterov != "dozat"]


def run(adam: Adam, count: int, state: Any, absent: Any = (), dtype: str = "float32", **lr: Any) -> Any:
    params, seen = many(100, dtype=dtype), []
    for k in range(count):
        grads: dict[str, Any] = many(k, dtype=dtype)
        if k in (2, 3):
            grads |= dict.fromkeys(absent)
        params, state = adam.step(params, grads, state, donate=True, **lr)
        seen.append(bits_of((params, unpack(state))))
    return seen


def compare(adam: Adam, count: int = 6, absent: Any = (), dtype: str = "float32", **lr: Any) -> None:
    start = adam.init(many(100, dtype=dtype))
    packed = pack(start)
    want = run(adam, count, start, absent, dtype, **lr)
    with packed_alone():
        assert run(adam, count, packed, absent, dtype, **lr) == want


@pytest.mark.parametrize("adam", some(KINDS, 4), ids=range(len(KINDS)))
def test_the_bits_of_an_unpacked_state(adam: Adam) -> None:
    compare(adam)


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
def test_absent_gradients(clock: Any) -> None:
    """Those leaves stand still, their clocks too; later each has the coefficients of its own clock."""
    compare(Adam(lr=0.1, clock=clock), absent=("w00", "w07", "w08", "w39"))


def test_learning_rates() -> None:
    adam = Adam(lr=lambda t: 0.1 / t)
    for lr in (None, 0.3, np.float32(0.25), jnp.asarray(0.5), lambda t: 1 / t, 0.0):
        compare(adam, 3, lr=lr)
    compare(Adam(lr=0.6, weight_decay=1.0, decay="decoupled"), 3)  # 1 - lr*decay has a weight of its own


@pytest.mark.parametrize(("dtype", "moments"), [("bfloat16", None), ("bfloat16", "float32")])
def test_dtypes(dtype: str, moments: str | None) -> None:
    compare(Adam(lr=0.1, moment_dtype=moments, amsgrad="corrected"), 3, dtype=dtype)


def test_another_learning_rate_compiles_nothing() -> None:
    params, made = many(1), []
    state = pack(Adam().init(params))
    for k in range(4):
        with packed_alone():
            params, state = Adam(lr=0.1 + k).step(params, many(k), state, donate=True, lr=None if k else 1.0)
        made.append(donated.PackedProgram.traced)
    assert made == [made[0]] * 4


def test_arrays_are_given_away_and_none_twice() -> None:
    adam, params = Adam(), many(1)
    state, before = pack(adam.init(params)), JitProgram.traced
    new, after = adam.step(params, many(2), state, donate=True)
    assert all(x.is_deleted() for x in jax.tree.leaves((params, state.m, state.v)) if x.size)
    jax.jit(lambda *x: x, donate_argnums=(0, 1))(new, after)
    assert JitProgram.traced == before
    with pytest.raises((RuntimeError, ValueError), match=r"deleted|donated"):
        adam.step(new, many(2), after, donate=True)


def test_one_array_in_two_places() -> None:
    """A gradient that is a parameter, and moments that are one vector, are stepped all the same."""
    adam = Adam(lr=0.1)
    params = {"a": jnp.ones(3), "b": jnp.full(3, 2.0)}
    state = pack(adam.init(params))
    want, wanted = adam.step(params, {"a": params["b"], "b": params["a"]}, state)
    twice = state._replace(v=state.m)
    for given in (state, twice):
        mine = jax.tree.map(jnp.copy, params)
        new, after = adam.step(mine, {"a": mine["b"], "b": mine["a"]}, given, donate=True)
        np.testing.assert_allclose(new["a"], want["a"], rtol=1e-6)
        assert bits_of(after.t) == bits_of(wanted.t)


def test_leaves_of_none() -> None:
    adam = Adam(lr=0.1)
    params: Any = {"a": jnp.ones(3), "b": None, "c": jnp.ones(2), "d": jnp.ones(4)}
    grads: Any = {"a": jnp.ones(3), "b": None, "c": None, "d": jnp.ones(4)}
    plain, state, packed = jax.tree.map(jnp.copy, params), adam.init(params), pack(adam.init(params))
    for _ in range(3):
        plain, state = adam.step(plain, grads, state, donate=True)
        with packed_alone():
            params, packed = adam.step(params, grads, packed, donate=True)
    assert bits_of((params, unpack(packed))) == bits_of((plain, state))
    assert params["b"] is None


def test_the_host_knows_the_clocks_until_the_state_is_another() -> None:
    adam, params = Adam(lr=0.1), many(1)
    state = pack(adam.init(params))
    assert state.t.known is None
    params, state = adam.step(params, many(2), state, donate=True)
    assert state.t.known.tolist() == [1] * 40
    late = jax.tree.map(lambda x: x, state)._replace(t=jax.tree.map(lambda t: t + 6, state.t))
    assert late.t.known is None
    params, late = adam.step(params, many(3), late, donate=True)
    assert late.t.known.tolist() == np.asarray(late.t.vectors[0]).tolist() == [8] * 40


def test_without_compilation_it_is_unpacked() -> None:
    adam, params = Adam(lr=0.1), {"w": jnp.ones(3)}
    with jax.disable_jit():
        new, state = adam.step(params, params, pack(adam.init(params)), donate=True)
    assert int(state.t["w"]) == 1
    np.testing.assert_allclose(new["w"], 0.9, rtol=1e-6)
