"""JAX: a step that is not on what the step before handed back goes the long way, errors and all."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState
from adamcore.coefficients import MAX_CLOCK
from adamcore.errors import GradientError, StateError, TreeError

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import all_checks, counted, on_two_devices, steps, tree, warm  # noqa: E402


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda p: {**p, "a": p["a"][:2]}, GradientError),
        (lambda p: {**p, "a": p["a"].astype("bfloat16")}, GradientError),
        (lambda p: {**p, "a": np.asarray(p["a"])}, GradientError),
        (lambda p: {**p, "a": 1.0}, GradientError),
        (lambda p: {"a": p["a"]}, TreeError),
        (lambda p: {"a": p["a"], "c": p["b"]}, TreeError),
    ],
)
def test_a_wrong_gradient_is_refused_and_changes_nothing(wrong: Any, error: Any) -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3), "b": jnp.ones(2)})
    grads = jax.tree.map(jnp.sin, params)
    with pytest.raises(error):
        adam.step(params, wrong(grads), state, donate=True)
    with counted() as made:
        params, state = adam.step(params, grads, state, donate=True)
    assert made == [True]
    assert int(state.t["a"]) == 3


def test_a_gradient_that_is_a_parameter() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3)})
    want, _ = adam.step(params, params, state)
    new, _ = adam.step(params, params, state, donate=True)
    np.testing.assert_allclose(new["a"], want["a"], rtol=1e-6)


def test_another_clock_or_moment_is_looked_at() -> None:
    adam = Adam(lr=0.1)
    for change in (
        lambda s: s._replace(t={"a": jnp.asarray(100, "int32")}),
        lambda s: s._replace(t={"a": 100}),
        lambda s: s._replace(m={"a": s.m["a"] * 2}),
        lambda s: s._replace(m=s.v, v=s.m),
    ):
        params, state = warm(adam, {"a": jnp.linspace(1.0, 2.0, 3)})
        grads = {"a": jnp.ones(3)}
        want, late = adam.step(params, grads, change(state))
        with counted() as made:
            new, after = adam.step(params, grads, change(state), donate=True)
        assert True not in made
        np.testing.assert_allclose(new["a"], want["a"], rtol=1e-6)
        assert int(after.t["a"]) == int(late.t["a"])


def test_new_containers_of_the_same_kind() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3)})
    with counted() as made:
        params, state = adam.step(dict(params), {"a": jnp.ones(3)}, AdamState(*state), donate=True)
    assert made == [True]
    with counted() as made:
        adam.step(params, {"a": jnp.ones(3)}, state, donate=True)
    assert made == [True]


def test_trees_in_turn_are_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX's message on a tree of another structure has all arrays in it."""
    adam, written = Adam(lr=0.1), []
    one, other = warm(adam, {"a": jnp.ones(3)}), warm(adam, [jnp.ones(2)])

    def write(x: Any) -> str:
        written.append(x)
        return "an array"

    monkeypatch.setattr(type(jnp.ones(3)), "__repr__", write)
    with counted() as made:
        for _ in range(2):
            one = adam.step(one[0], {"a": jnp.ones(3)}, one[1], donate=True)
            other = adam.step(other[0], [jnp.ones(2)], other[1], donate=True)
    assert made.count(True) == 4
    assert made.count(False) == 2
    assert not written


def test_other_containers_of_the_same_leaves() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3)})
    listed = AdamState(*([x["a"]] if isinstance(x, dict) else x for x in state))
    with pytest.raises(TreeError):
        adam.step([params["a"]], {"a": jnp.ones(3)}, listed, donate=True)
    new, after = adam.step([params["a"]], [jnp.ones(3)], listed, donate=True)
    assert isinstance(new, list)
    assert isinstance(after.m, list)


def test_no_array_is_kept_alive() -> None:
    adam: Any = Adam(lr=0.1)
    params, state = warm(adam, tree(1))
    grads = tree(3)
    params, state = adam.step(params, grads, state, donate=True)
    seen = [weakref.ref(x) for x in jax.tree.leaves((params, state, grads))]
    del params, state, grads
    gc.collect()
    assert [r for r in seen if r() is not None] == []
    assert all(cached.dead for cached in adam._step_cache)


def test_inside_somebodys_trace_no_clock_ticks() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3)})
    grads = {"a": jnp.ones(3)}
    want, _ = adam.step(params, grads, state)
    got = jax.jit(lambda: adam.step(params, grads, state, donate=True)[0])()
    np.testing.assert_allclose(got["a"], want["a"], rtol=1e-6)
    assert not params["a"].is_deleted()
    got = jax.jit(lambda g: adam.step(params, g, state, donate=True)[0])(grads)
    np.testing.assert_allclose(got["a"], want["a"], rtol=1e-6)
    with counted() as made:
        new, after = adam.step(params, grads, state, donate=True)
    assert made == [True]
    np.testing.assert_allclose(new["a"], want["a"], rtol=1e-6)
    assert int(after.t["a"]) == 3


def test_a_product_beside_the_clock_goes_all_checks() -> None:
    adam = Adam(lr=0.1, nesterov="dozat")
    with counted() as made:
        ours = steps(adam)
    assert made == []
    with all_checks():
        assert steps(adam) == ours
    plain = Adam(lr=0.1)
    params, state = warm(plain, {"a": jnp.ones(3)})
    with pytest.raises(StateError):
        plain.step(params, params, state._replace(mu_product=state.t), donate=True)


def test_the_last_tick() -> None:
    adam, params = Adam(), {"a": jnp.ones(3)}
    state = adam.init(params)._replace(t={"a": jnp.asarray(MAX_CLOCK - 2, "int32")})
    for _ in range(4):
        params, state = adam.step(params, {"a": jnp.ones(3)}, state, donate=True)
    assert int(state.t["a"]) == MAX_CLOCK


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("first", [False, True])
def test_x64_is_switched_between_steps(first: bool, dtype: str) -> None:
    adam = Adam(lr=0.1)

    def run() -> Any:
        params = {n: x.astype(dtype) for n, x in tree(1).items()}
        state = adam.init(params)
        for k, double in enumerate((first, first, not first, not first, first)):
            with jax.enable_x64(double):
                grads = {n: jnp.asarray(np.asarray(g, "float32")).astype(dtype) for n, g in tree(k).items()}
                params, state = adam.step(params, grads, state, donate=True)
        return jax.tree.map(lambda x: (x.dtype.name, np.asarray(x).tobytes()), (params, state))

    ours = run()
    with all_checks():
        assert run() == ours


def test_without_jit() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3)})
    want, _ = adam.step(params, {"a": jnp.ones(3)}, state)
    with jax.disable_jit(), counted() as made:
        new, _ = adam.step(params, {"a": jnp.ones(3)}, state, donate=True)
    assert made == [False]
    np.testing.assert_allclose(new["a"], want["a"], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "complex64"])
def test_what_machine_code_does_not_serve(dtype: str) -> None:
    adam = Adam(lr=0.1)

    def run() -> Any:
        params = {"a": jnp.ones(5, dtype), "b": jnp.ones(3)}
        state = adam.init(params)
        for _ in range(4):
            grads = {"a": jnp.full(5, 0.5, dtype), "b": jnp.ones(3)}
            params, state = adam.step(params, grads, state, donate=True)
        return jax.tree.map(lambda x: (x.dtype.name, np.asarray(x).tobytes()), (params, state))

    with counted() as made:
        ours = run()
    assert made.count(True) == 3
    with all_checks():
        assert run() == ours


@pytest.mark.slow
def test_devices() -> None:
    """Two of them: a default that changes, gradients elsewhere, and leaves spread over both."""
    program = """
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import Mesh, NamedSharding, PartitionSpec
        from adamcore import Adam
        one, two = jax.devices()
        both = NamedSharding(Mesh(np.array([one, two]), "x"), PartitionSpec("x"))
        adam = Adam(lr=0.1)

        def run(place, where, default):
            p = jnp.linspace(-1, 1, 64)
            p, g = (p, jnp.sin(p)) if place is None else jax.device_put((p, jnp.sin(p)), place)
            s = adam.init(p)
            for k in range(5):
                with jax.default_device(default if k > 2 else None):
                    late = g if where is None or k < 3 else jax.device_put(g, where)
                    p, s = adam.step(p, late, s, donate=True)
            return np.asarray(p), p.sharding, int(s.t)

        want, on, t = run(None, None, None)
        last = (None, both, None), (None, two, None)
        for case in ((None, None, two), (two, None, one), (both, None, None), *last):
            got, where, clock = run(*case)
            np.testing.assert_allclose(got, want, atol=1e-6)
            print(sorted(d.id for d in where.device_set), where.is_fully_replicated, clock)
        p, g = jax.device_put(jnp.ones(4), one), jax.device_put(jnp.ones(4), two)
        s = adam.init(p)
        for k in range(3):
            try:
                p, s = adam.step(p, jnp.ones(4) if k < 2 else g, s, donate=True)
            except ValueError as error:
                print(k, "incompatible devices" in str(error))
    """
    assert on_two_devices(program).split("\n")[:-1] == [
        *("[1] True 5", "[1] True 5", "[0, 1] False 5", "[0, 1] False 5", "[1] True 5"), "2 True",
    ]  # fmt: skip
