"""Packed states in the caller's program: one call for many leaves with ``native()``, and packed without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import bits_of, many, on_two_devices, packed_alone  # noqa: E402

from adamcore.backends.jax import ffi, native, pack, unpack  # noqa: E402

pytestmark = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")


def inside(adam: Adam, **keywords: Any) -> Any:
    def step(params: Any, grads: Any, state: Any, **more: Any) -> Any:
        with native():
            return adam.step(params, grads, state, **keywords, **more)

    return step


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
@pytest.mark.parametrize("absent", [(), ("w00", "w08", "w38")], ids=["all", "some"])
def test_the_bits_of_an_unpacked_state(clock: Any, absent: Any) -> None:
    adam = Adam(lr=0.1, clock=clock, weight_decay=0.1, amsgrad="uncorrected")
    plain = packed = many(9)
    state, kept = adam.init(plain), pack(adam.init(plain))
    for k, left_out in enumerate([(), absent, ()]):
        grads = {**many(k), **dict.fromkeys(left_out)}
        plain, state = jax.jit(inside(adam))(plain, grads, state)
        with packed_alone():
            packed, kept = jax.jit(inside(adam), donate_argnums=(0, 2))(packed, grads, kept)
        assert bits_of((packed, unpack(kept))) == bits_of((plain, state))
        packed = jax.tree.map(jnp.copy, packed)


def test_one_call_for_many_leaves_and_no_slices() -> None:
    adam, params = Adam(), many(1)
    text = str(jax.jit(inside(adam)).lower(params, params, pack(adam.init(params))).as_text())
    assert text.count("@adamcore_") == 1
    assert text.count("concatenate") < 10  # the table of coefficients
    assert text.count("stablehlo.slice") + text.count("dynamic_slice") == 0


def test_it_is_the_carry_of_a_scan() -> None:
    adam, grads = Adam(lr=0.1), jax.tree.map(lambda *xs: jnp.stack(xs), *(many(k) for k in range(3)))

    @jax.jit
    def train(params: Any, state: Any) -> Any:
        def body(carry: Any, g: Any) -> Any:
            return inside(adam)(carry[0], g, carry[1]), None

        return jax.lax.scan(body, (params, state), grads)[0]

    params = many(9)
    with packed_alone():
        packed, kept = train(params, pack(adam.init(params)))
    plain, state = train(params, adam.init(params))
    assert bits_of((packed, unpack(kept))) == bits_of((plain, state))
    assert int(kept.t["w07"]) == 3


def test_traced_learning_rates_and_moments_of_another_dtype() -> None:
    adam, params = Adam(moment_dtype="bfloat16"), many(9)
    with packed_alone():
        step = jax.jit(inside(adam))
        packed, kept = step(params, many(1), pack(adam.init(params)), lr=jnp.asarray(0.3))
    plain, state = step(params, many(1), adam.init(params), lr=jnp.asarray(0.3))
    assert bits_of((packed, unpack(kept))) == bits_of((plain, state))


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
def test_schedules_see_each_clock(clock: Any) -> None:
    """A schedule is a function of one clock, and may branch on it."""

    def schedule(t: Any) -> Any:
        assert t.shape == ()
        return jax.lax.cond(t < 2, lambda: 0.5, lambda: 0.1 * jnp.cos(t / 7.0))

    adam, params = Adam(lr=schedule, clock=clock), many(9)
    plain = packed = params
    state, kept = adam.init(params), pack(adam.init(params))
    for k in range(3):
        grads = {**many(k), **({"w07": None} if k == 0 else {})}
        plain, state = jax.jit(inside(adam))(plain, grads, state)
        with packed_alone():
            packed, kept = jax.jit(inside(adam))(packed, grads, kept)
    assert bits_of(kept.t) == bits_of(pack(state).t)
    for name, p in plain.items():
        np.testing.assert_allclose(packed[name], p, rtol=1e-6, atol=1e-7)
    with packed_alone():
        jax.jit(inside(adam, lr=lambda t: 0.5))(params, params, pack(adam.init(params)))


def test_vmap_and_derivatives_are_by_operations() -> None:
    adam = Adam(lr=0.1, b1=0.5)
    params: Any = {"a": jnp.ones((2, 3)), "b": jnp.full((2, 4), 2.0)}
    state = jax.vmap(lambda p: pack(adam.init(p)))(params)
    with packed_alone():
        new, after = jax.vmap(inside(adam))(params, params, state)
    want, _ = jax.vmap(adam.step)(params, params, jax.vmap(adam.init)(params))
    for name, p in want.items():
        np.testing.assert_allclose(new[name], p, rtol=1e-6)
    assert [x.shape for x in after.m.vectors] == [(2, 7)]

    one = {"a": jnp.ones(3), "b": jnp.full(4, 2.0)}

    def loss(scale: Any, step: Any, start: Any) -> Any:
        p, _ = step(one, jax.tree.map(lambda x: x * scale, one), start, lr=scale)
        return sum(x.sum() for x in jax.tree.leaves(p))

    start = adam.init(one)
    got = jax.jit(jax.grad(lambda s: loss(s, inside(adam), pack(start))))(2.0)
    np.testing.assert_allclose(got, jax.grad(lambda s: loss(s, adam.step, start))(2.0), rtol=1e-5)


@pytest.mark.parametrize("keywords", [{"present": {"a": True, "b": jnp.asarray(False)}}, {"grad_scale": 2.0}])
def test_what_is_unpacked_and_packed_again(keywords: Any) -> None:
    adam, params = Adam(lr=0.1), {"a": jnp.ones((2, 3)), "b": jnp.full(4, 2.0)}
    kept = pack(adam.init(params))
    packed, after = jax.jit(inside(adam, **keywords))(params, params, kept)
    plain, state = jax.jit(inside(adam, **keywords))(params, params, adam.init(params))
    assert jax.tree.structure(after) == jax.tree.structure(kept)
    assert bits_of((packed, unpack(after))) == bits_of((plain, state))


def test_without_native_it_is_unpacked_and_packed_again() -> None:
    adam, params = Adam(lr=0.1), {"a": jnp.ones((2, 3)), "b": jnp.full(4, 2.0)}
    kept = pack(adam.init(params))
    new, after = jax.jit(adam.step)(params, params, kept)
    want, state = jax.jit(adam.step)(params, params, adam.init(params))
    assert jax.tree.structure(after) == jax.tree.structure(kept)
    for a, b in zip(jax.tree.leaves((new, unpack(after))), jax.tree.leaves((want, state)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_inside_of_shard_map() -> None:
    printed = on_two_devices("""
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import Mesh, PartitionSpec as P
        from adamcore import Adam
        from adamcore.backends.jax import native, pack

        adam, mesh = Adam(lr=0.5), Mesh(np.array(jax.devices()), ("x",))

        def step(p, g):
            with native():
                new, state = adam.step({"w": p}, {"w": g}, pack(adam.init({"w": p})))
            return new["w"], state.m["w"]

        mapped = jax.jit(jax.shard_map(step, mesh=mesh, in_specs=P("x"), out_specs=P("x")))
        print(*(x.tolist() for x in mapped(jnp.ones(4), jnp.ones(4))))
    """)
    assert printed.split("] ")[0] == "[0.5, 0.5, 0.5, 0.5"
