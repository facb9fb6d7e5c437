"""JAX: machine code in the caller's own program, where it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import some
from fast import adams, gradients, probed

from adamcore import Adam

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import on_two_devices  # noqa: E402

from adamcore.backends.jax import ffi, native  # noqa: E402

pytestmark = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")


def inside(adam: Adam) -> Any:
    def step(*arguments: Any, **keywords: Any) -> Any:
        with native():
            return adam.step(*arguments, **keywords)

    return step


def tree(seed: int) -> dict[str, Any]:
    shapes: list[tuple[int, ...]] = [(), (0,), (7,), (3, 5), (40,)]
    return {f"w{k}": jnp.asarray(x) for k, x in enumerate(gradients(seed, "float32", shapes))}


def calls(step: Any, *arguments: Any) -> int:
    """How many custom calls of ours are in a program."""
    return str(jax.jit(step).lower(*arguments).as_text()).count("@adamcore_")


ADAMS = adams(8)


@pytest.mark.parametrize("adam", some(ADAMS, 3), ids=range(len(ADAMS)))
def test_it_is_the_same_step(adam: Adam) -> None:
    ours = theirs = tree(1)
    mine = other = adam.init(ours)
    assert calls(inside(adam), ours, tree(0), mine) == 1
    assert calls(adam.step, ours, tree(0), mine) == 0
    step, definition = jax.jit(inside(adam), donate_argnums=(0, 2)), jax.jit(adam.step)
    for k in range(3):
        theirs, other = definition(theirs, tree(k), other)
        old = ours = jax.tree.map(jnp.copy, ours)
        ours, mine = step(ours, tree(k), mine)
        assert old["w4"].is_deleted()
    for a, b in zip(jax.tree.leaves((ours, mine)), jax.tree.leaves((theirs, other)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_the_bits_of_numpy() -> None:
    """With moments that start from 0 the first step has no rounding of traced coefficients to show."""
    adam = Adam(lr=0.5, b1=0.5, b2=0.75, eps=0.0, bias_correction="none")
    params, grads = tree(1), tree(2)
    new, state = jax.jit(inside(adam))(params, grads, adam.init(params))
    given = {name: np.asarray(p) for name, p in params.items()}
    want, wanted = adam.step(given, {n: np.asarray(g) for n, g in grads.items()}, adam.init(given))
    for name, p in want.items():
        for got, exact in ((new[name], p), (state.m[name], wanted.m[name]), (state.v[name], wanted.v[name])):
            np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("moments", [None, "float32"])
def test_arrays_of_16_bits(dtype: str, moments: str | None) -> None:
    """The bits of the machine code, and under vmap those of XLA, which differ by a rounding at most."""
    adam = Adam(lr=0.5, b1=0.5, b2=0.75, eps=0.0, bias_correction="none", moment_dtype=moments)
    p, g = (jnp.asarray(np.random.default_rng(k).standard_normal((2, 37)), dtype) for k in (1, 2))
    assert calls(inside(adam), p, g, adam.init(p)) == 1
    new, state = jax.jit(inside(adam))(p, g, adam.init(p))
    given = np.asarray(p)
    want, wanted = adam.step(given, np.asarray(g), adam.init(given))
    for got, exact in ((new, want), (state.m, wanted.m), (state.v, wanted.v)):
        np.testing.assert_array_equal(np.asarray(got), exact)
    batched = jax.vmap(lambda p, g: inside(adam)(p, g, adam.init(p))[0])(p, g)
    assert batched.dtype == dtype
    np.testing.assert_allclose(np.asarray(batched, "f"), np.asarray(new, "f"), rtol=2.0**-7)


@pytest.mark.parametrize("every", [17, pytest.param(8, marks=pytest.mark.slow)])
def test_probes(every: int) -> None:
    from adamcore.conformance.candidates.own import JaxNative

    assert probed(JaxNative("cpu"), [Adam(decay="decoupled", clock="global")], every=every) == []


def test_nothing_compiles_twice() -> None:
    adam, traces = Adam(), []

    @jax.jit
    def step(params: Any, grads: Any, state: Any, lr: Any) -> Any:
        traces.append(1)
        return inside(adam)(params, grads, state, lr=lr)

    params = tree(1)
    state = adam.init(params)
    for k in range(4):
        params, state = step(params, tree(k), state, 0.1 * k)
    assert len(traces) == step._cache_size() == 1
    assert int(state.t["w0"]) == 4


def test_leaves_beyond_one_call() -> None:
    adam = Adam(lr=0.1, clock="global")
    shapes: list[tuple[int, ...]] = [(3,)] * 70
    params, grads = ([jnp.asarray(x) for x in gradients(k, "float32", shapes)] for k in (1, 2))
    state = adam.init(params)
    assert calls(inside(adam), params, grads, state) == 3
    got, want = jax.jit(inside(adam))(params, grads, state)[0], adam.step(params, grads, state)[0]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def loss(step: Any, adam: Adam) -> Any:
    return lambda lr, p: (step(p, jnp.sin(p), adam.init(p), lr=lr)[0] ** 2).sum()


def vectorized(f: Any) -> Any:
    return jax.jit(jax.vmap(f, (None, 0)))


@pytest.mark.parametrize("outer", [vectorized, jax.jit, pytest.param(lambda f: f, marks=pytest.mark.slow)])
def test_under_vmap_and_grad_xla_does_it(outer: Any) -> None:
    adam, ps = Adam(lr=0.1), jnp.asarray([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]])
    for inner in (lambda f: f, jax.grad, lambda f: jax.grad(f, 1), lambda f: jax.jacfwd(f)):
        got = outer(inner(loss(inside(adam), adam)))(0.1, ps)
        want = outer(inner(loss(adam.step, adam)))(0.1, ps)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)

    def total(step: Any) -> Any:
        return lambda lr: jax.vmap(lambda p: loss(step, adam)(lr, p))(ps).sum()

    got, want = (jax.jit(jax.grad(total(step)))(0.1) for step in (inside(adam), adam.step))
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_scan() -> None:
    adam, p = Adam(lr=0.1), tree(1)

    def body(carry: Any, g: Any) -> Any:
        return inside(adam)(carry[0], g, carry[1]), None

    gs = jax.tree.map(lambda *xs: jnp.stack(xs), *(tree(k) for k in range(4)))
    (got, state), _ = jax.lax.scan(body, (p, adam.init(p)), gs)
    want, wanted = p, adam.init(p)
    for k in range(4):
        want, wanted = adam.step(want, tree(k), wanted)
    assert int(state.t["w0"]) == 4
    for name, x in want.items():
        np.testing.assert_allclose(got[name], x, rtol=1e-5, atol=1e-6)


def test_on_another_platform_it_is_the_definition() -> None:
    adam, p = Adam(), jnp.ones(5)
    traced = jax.jit(inside(adam)).trace(p, p, adam.init(p))
    assert "adamcore_" in traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "adamcore_" not in traced.lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "complex64"])
def test_what_it_does_not_serve(dtype: str) -> None:
    adam, p = Adam(lr=0.1), {"a": jnp.ones(5, dtype), "b": jnp.ones(4)}
    mask = {"a": True, "b": jnp.asarray([True, False, True, True])}

    def step(p: Any, s: Any) -> Any:
        return inside(adam)(p, p, s, present=mask)

    assert calls(step, p, adam.init(p)) == 0
    assert calls(inside(adam), p, p, adam.init(p)) == 1
    new, _ = jax.jit(inside(adam))(p, p, adam.init(p))
    np.testing.assert_allclose(np.asarray(new["a"], "complex64").real, 0.9, rtol=5e-2)


def test_outside_of_a_trace_it_changes_nothing() -> None:
    adam, p = Adam(lr=0.1), jnp.linspace(-1, 1, 9)
    got, _ = inside(adam)(p, jnp.sin(p), adam.init(p))
    want, _ = adam.step(p, jnp.sin(p), adam.init(p))
    np.testing.assert_array_equal(got, want)
    assert not p.is_deleted()


@pytest.mark.slow
def test_devices() -> None:
    """Spread over two: right under jit, though gathered first, and under shard_map without that."""
    program = """
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import Mesh, NamedSharding, PartitionSpec as Spec
        from adamcore import Adam, AdamState
        from adamcore.backends.jax import native
        mesh, adam = Mesh(np.array(jax.devices()), "x"), Adam(lr=0.1)

        def step(p, g, m, v, t):
            with native():
                return adam.step(p, g, AdamState(t, m, v))[0]

        p = jnp.linspace(-1, 1, 64)
        want, state = adam.step(p, jnp.sin(p), adam.init(p))
        p = jax.device_put(p, NamedSharding(mesh, Spec("x")))
        s, xs, one = adam.init(p), Spec("x"), Spec()
        arguments = p, jnp.sin(p), s.m, s.v, s.t
        specs = dict(mesh=mesh, in_specs=(xs,) * 4 + (one,), out_specs=xs)
        for checked in (True, False):
            parts = jax.shard_map(step, check_vma=checked, **specs)
            np.testing.assert_allclose(jax.jit(parts)(*arguments), want, atol=1e-6)
            print("all-gather" in jax.jit(parts).lower(*arguments).compile().as_text())
        np.testing.assert_allclose(jax.jit(step)(*arguments), want, atol=1e-6)
        print("all-gather" in jax.jit(step).lower(*arguments).compile().as_text())
    """
    assert on_two_devices(program).split() == ["False", "False", "True"]
