"""JAX: a step on what the step before handed back does what the long way does, bit for bit."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fast import adams, gradients

from adamcore import Adam, AdamState
from adamcore.coefficients import MAX_CLOCK
from adamcore.errors import GradientError, HyperparameterError, StateError, TreeError

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import JaxBackend  # noqa: E402
from adamcore.backends.jax_lane import JaxLane  # noqa: E402

SHAPES: list[tuple[int, ...]] = [(), (0,), (7,), (3, 5), (40,)]


@contextmanager
def counted() -> Iterator[list[bool]]:
    """For every lane that was asked whether it made the step."""
    made: list[bool] = []
    step = JaxLane.step

    def counting(self: JaxLane, *arguments: Any) -> Any:
        done = step(self, *arguments)
        made.append(done is not None)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JaxLane, "step", counting)
        yield made


@contextmanager
def the_long_way() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JaxBackend, "prepares", lambda self: False)
        yield


def tree(seed: int, dtype: str = "float32") -> dict[str, Any]:
    return {f"w{k}": jnp.asarray(x) for k, x in enumerate(gradients(seed, dtype, SHAPES))}


def steps(adam: Adam, count: int = 5, absent: tuple[str, ...] = (), **lr: Any) -> list[Any]:
    """The bits after each step, with some gradients absent from the third on."""
    params, seen = tree(100), []
    state = adam.init(params)
    for k in range(count):
        grads: dict[str, Any] = tree(k)
        if k >= 2:
            grads |= dict.fromkeys(absent)
        params, state = adam.step(params, grads, state, donate=True, **lr)
        seen.append(
            [(np.asarray(x).dtype, np.asarray(x).tobytes()) for x in jax.tree.leaves((params, state))]
        )
    return seen


KINDS = [adam for adam in adams(12) if adam.nesterov != "dozat"]


@pytest.mark.parametrize("adam", KINDS, ids=range(len(KINDS)))
def test_the_bits_of_the_long_way(adam: Adam) -> None:
    with counted() as made:
        ours = steps(adam)
    assert made.count(True) == 4
    with the_long_way():
        assert steps(adam) == ours


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
@pytest.mark.parametrize("absent", [("w2",), ("w0", "w4")])
def test_absent_gradients(clock: Any, absent: tuple[str, ...]) -> None:
    adam = Adam(lr=0.1, clock=clock)
    with counted() as made:
        ours = steps(adam, 6, absent)
    assert made.count(True) == 4  # all but the first of each pattern
    with the_long_way():
        assert steps(adam, 6, absent) == ours


def test_what_stands_still_is_the_same_object() -> None:
    adam, params = Adam(lr=0.1), tree(1)
    state, grads = adam.init(params), {**tree(2), "w3": None}
    for _ in range(3):
        params, state = adam.step(params, grads, state, donate=True)
    still = params["w3"], state.m["w3"], state.t["w3"]
    with counted() as made:
        params, state = adam.step(params, grads, state, donate=True)
    assert made == [True]
    assert all(a is b for a, b in zip((params["w3"], state.m["w3"], state.t["w3"]), still, strict=True))
    assert [int(state.t[name]) for name in params] == [4, 4, 4, 0, 4]


@pytest.mark.parametrize("thaw", [False, True])
def test_clocks_of_their_own(thaw: bool) -> None:
    """Leaves that are late keep their own coefficients on every later step."""
    adam = Adam(lr=0.1)

    def run() -> Any:
        params = tree(1)
        state = adam.init(params)
        for k in range(6):
            grads: dict[str, Any] = {**tree(k), "w4": None} if k < 2 else tree(k)
            params, state = adam.step(params, grads, state, donate=True)
        return jax.tree.map(lambda x: np.asarray(x).tobytes(), (params, state)), state

    with counted() as made:
        ours, state = run()
    assert made[-1]
    assert [int(t) for t in state.t.values()] == [6, 6, 6, 6, 4]
    with the_long_way():
        assert run()[0] == ours


def test_clocks_are_arrays_each_its_own() -> None:
    adam, params = Adam(), tree(1)
    state = adam.init(params)
    for k in range(1, 5):
        params, state = adam.step(params, tree(k), state, donate=True)
        ts = list(state.t.values())
        assert [(t.shape, t.dtype, int(t)) for t in ts] == [((), np.int32, k)] * 5
        assert len({*map(id, ts)}) == 5
    jax.jit(lambda s: s, donate_argnums=0)(state)  # none is donated twice


def test_lr_and_schedules() -> None:
    adam = Adam(lr=lambda t: 0.1 / t)
    for lr in ({}, {"lr": 0.3}, {"lr": np.float32(0.25)}, {"lr": jnp.asarray(0.5)}, {"lr": lambda t: 1 / t}):
        with counted() as made:
            ours = steps(adam, **lr)
        assert made.count(True) == 4
        with the_long_way():
            assert steps(adam, **lr) == ours
    with pytest.raises(HyperparameterError):
        steps(adam, lr=-1.0)


def test_a_term_that_comes_with_the_learning_rate() -> None:
    """1 - lr*decay has a weight of its own where lr*decay is over one half."""
    adam = Adam(weight_decay=0.5, decay="decoupled")

    def run() -> Any:
        params = tree(1)
        state = adam.init(params)
        for lr in (0.1, 0.1, 1.5, 1.5, 0.1):
            params, state = adam.step(params, tree(2), state, lr=lr, donate=True)
        return jax.tree.map(lambda x: np.asarray(x).tobytes(), (params, state))

    ours = run()
    with the_long_way():
        assert run() == ours


def warm(adam: Adam, params: Any) -> tuple[Any, AdamState]:
    state = adam.init(params)
    for _ in range(2):
        params, state = adam.step(params, jax.tree.map(jnp.sin, params), state, donate=True)
    return params, state


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
    adam = Adam(lr=0.1)
    params, state = warm(adam, tree(1))
    grads = tree(3)
    params, state = adam.step(params, grads, state, donate=True)
    seen = [weakref.ref(x) for x in jax.tree.leaves((params, state, grads))]
    del params, state, grads
    gc.collect()
    assert [r for r in seen if r() is not None] == []
    assert all(lane.dead for lane in adam._lanes)


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


def test_a_product_beside_the_clock_goes_the_long_way() -> None:
    adam = Adam(lr=0.1, nesterov="dozat")
    with counted() as made:
        ours = steps(adam)
    assert made == []
    with the_long_way():
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
    with the_long_way():
        assert run() == ours


def test_without_jit() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, {"a": jnp.ones(3)})
    want, _ = adam.step(params, {"a": jnp.ones(3)}, state)
    with jax.disable_jit(), counted() as made:
        new, _ = adam.step(params, {"a": jnp.ones(3)}, state, donate=True)
    assert made == []
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
    with the_long_way():
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
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True, text=True, env=os.environ | flags,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.split("\n")[:-1] == [
        *("[1] True 5", "[1] True 5", "[0, 1] False 5", "[0, 1] False 5", "[1] True 5"), "2 True",
    ]  # fmt: skip
