"""JAX: a step on what the step before handed back does what the long way does, bit for bit."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from fast import adams

from adamcore import Adam, Clip
from adamcore.errors import GradientError, HyperparameterError
from adamcore.step_cache import cache_of

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from jax_steps import all_checks, counted, steps, tree  # noqa: E402

KINDS = [adam for adam in adams(12) if adam.nesterov != "dozat"]


@pytest.mark.parametrize("adam", KINDS, ids=range(len(KINDS)))
def test_the_bits_of_all_checks(adam: Adam) -> None:
    with counted() as made:
        ours = steps(adam)
    assert made.count(True) == 4
    with all_checks():
        assert steps(adam) == ours


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
@pytest.mark.parametrize("absent", [("w2",), ("w0", "w4")])
def test_absent_gradients(clock: Any, absent: tuple[str, ...]) -> None:
    adam = Adam(lr=0.1, clock=clock)
    with counted() as made:
        ours = steps(adam, 6, absent)
    assert made.count(True) == 4  # all but the first of each pattern
    with all_checks():
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
    with all_checks():
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


def test_the_garbage_collector_is_still_in_a_step_of_many_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    adam, seen = Adam(lr=0.1), []
    ps, gs = ([jnp.ones(2) for _ in range(100)] for _ in range(2))
    state = adam.init(ps)
    for _ in range(2):
        ps, state = adam.step(ps, gs, state, donate=True)
    cached: Any = cache_of(adam)[0]
    call = cached.program.call_at

    def watched(*given: Any) -> Any:
        seen.append(gc.isenabled())
        return call(*given)

    monkeypatch.setattr(cached.program, "call_at", watched)
    ps, state = adam.step(ps, gs, state, donate=True)
    assert seen == [False]
    assert gc.isenabled()


def test_lr_and_schedules() -> None:
    adam = Adam(lr=lambda t: 0.1 / t)
    for lr in ({}, {"lr": 0.3}, {"lr": np.float32(0.25)}, {"lr": jnp.asarray(0.5)}, {"lr": lambda t: 1 / t}):
        with counted() as made:
            ours = steps(adam, **lr)
        assert made.count(True) == 4
        with all_checks():
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
    with all_checks():
        assert run() == ours


@pytest.mark.parametrize("clip", [Clip(global_norm=1.0), Clip(norm=0.5), Clip(value=0.3)])
def test_clipped(clip: Clip) -> None:
    """The norm is formed in float64, as in NumPy, and the program with its factor is compiled once."""

    def run() -> Any:
        adam, params = Adam(lr=0.1), tree(1)
        state = adam.init(params)
        for k in range(5):
            params, state = adam.step(params, tree(k), state, donate=True, clip=clip)
        return jax.tree.map(lambda x: np.asarray(x).tobytes(), (params, state))

    with counted() as made:
        ours = run()
    assert made.count(True) == 4
    with all_checks():
        assert run() == ours


def test_a_gradient_of_another_shape_is_refused_before_its_norm() -> None:
    adam, params = Adam(lr=0.1), [jnp.ones(3)]
    params, state = adam.step(params, [jnp.ones(3)], adam.init(params), donate=True, clip=Clip(norm=1.0))
    with pytest.raises(GradientError):
        adam.step(params, [jnp.ones(4)], state, donate=True, clip=Clip(norm=1.0))
