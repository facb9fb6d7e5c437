"""Clocks that only the program knows: ticked as one vector, with the bits of each by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState

jax = pytest.importorskip("jax")
jnp: Any = jax.numpy

clocks: Any = pytest.importorskip("adamcore.backends.jax.clocks")

ADAMS = [
    Adam(),
    Adam(b1=0.95, b2=0.9999, weight_decay=0.1, decay="decoupled", nesterov="same-t"),
    Adam(weight_decay=0.1, decay="decoupled-corrected", nesterov="optax", epsilon="inside-uncorrected"),
]
LAST = 2**31 - 1  #: where a clock stays
TIMES = [0, 1, 2, 7, 99, 999, 31_622, 10**6, 12_345_678, LAST - 1, LAST, 7, 0]
SHAPES = [(3,), (2, 2)]


def leaves(seed: int, n: int = len(TIMES)) -> list[Any]:
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.standard_normal(SHAPES[i % 2]), jnp.float32) for i in range(n)]


def problem(adam: Adam, n: int = len(TIMES)) -> tuple[list[Any], list[Any], AdamState]:
    """Return parameters, gradients and a state in which the clocks differ."""
    state = adam.init(leaves(0, n))
    t = [jnp.asarray(TIMES[i % len(TIMES)], jnp.int32) for i in range(n)]
    m, v = [0.1 * x for x in leaves(2, n)], [x * x for x in leaves(3, n)]
    return leaves(0, n), leaves(1, n), state._replace(t=t, m=m, v=v)


def program(adam: Adam) -> Callable[..., Any]:
    """Return a step as a new function, which JAX has not traced before."""
    return lambda p, g, s, lr: adam.step(p, g, s, lr=lr)


def same(a: Any, b: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize(
    ("adam", "take"),
    [(ADAMS[0], "by_array"), (ADAMS[1], "by_slice"), (ADAMS[2], "by_array")],
    ids=["adam", "same-t", "optax"],
)
def test_bits(adam: Adam, take: str, monkeypatch: pytest.MonkeyPatch) -> None:
    args = (*problem(adam), 1e-3)
    if take == "by_slice":
        monkeypatch.setattr(clocks, "by_array", lambda vectors, _: clocks.by_slice(vectors))
    together = jax.jit(program(adam))(*args)
    monkeypatch.setattr(clocks, "MANY", len(TIMES) + 1)
    same(together, jax.jit(program(adam))(*args))
    assert [int(t) for t in together[1].t] == [min(t + 1, LAST) for t in TIMES]


def test_flags() -> None:
    """A leaf whose flag is False keeps its clock and its values; the others step as they would alone."""
    adam = ADAMS[1]
    p, g, state = problem(adam)
    flags = [jnp.asarray(i % 3 != 0) for i in range(len(p))]
    new, after = jax.jit(lambda p, g, s, f: adam.step(p, g, s, present=f))(p, g, state, flags)
    every, every_after = jax.jit(lambda p, g, s: adam.step(p, g, s))(p, g, state)
    for i, flag in enumerate(flags):
        np.testing.assert_array_equal(new[i], every[i] if flag else p[i])
        assert int(after.t[i]) == int(every_after.t[i] if flag else state.t[i])


def test_coefficients_that_no_clock_changes() -> None:
    adam = Adam(bias_correction="none")
    p, g, state = problem(adam)
    new, after = jax.jit(program(adam))(p, g, state, 1e-3)
    assert [int(t) for t in after.t] == [min(t + 1, LAST) for t in TIMES]
    same(new, jax.jit(program(replace(adam, clock="global")))(p, g, state._replace(t=state.t[0]), 1e-3)[0])


def test_absent_leaves() -> None:
    adam = ADAMS[0]
    p, g, state = problem(adam)
    some = [None if i == 4 else x for i, x in enumerate(g)]
    new, after = jax.jit(lambda p, g, s: adam.step(p, g, s))(p, some, state)
    assert int(after.t[4]) == TIMES[4]
    assert new[4].tolist() == p[4].tolist()
    assert int(after.t[5]) == TIMES[5] + 1


@pytest.mark.parametrize("transform", ["vmap", "grad"])
def test_transformations(transform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adam = ADAMS[0]
    p, g, state = problem(adam)

    def run() -> Any:
        step = program(adam)
        if transform == "vmap":
            two = jax.tree.map(lambda x: jnp.stack([x, x + 1]), (p, g, state))
            return jax.jit(jax.vmap(step, in_axes=(0, 0, 0, None)))(*two, 1e-3)

        def slope(s: AdamState, lr: Any) -> Any:
            return jax.grad(lambda x: sum(map(jnp.sum, step(p, g, s, x)[0])))(lr)

        return jax.jit(slope)(state, 1e-3)

    together = run()
    monkeypatch.setattr(clocks, "MANY", len(TIMES) + 1)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), together, run())


def test_unlike_clocks_tick_one_by_one() -> None:
    adam = ADAMS[0]
    p, g, state = problem(adam)
    mixed = state._replace(t=[t.astype(jnp.uint8) if i == 3 else t for i, t in enumerate(state.t)])
    _, after = jax.jit(lambda p, g, s: adam.step(p, g, s))(p, g, mixed)
    assert after.t[3].dtype == jnp.uint8
    assert [int(t) for t in after.t[4:7]] == [100, 1000, 31_623]


def test_kernels_are_alike() -> None:
    """XLA compiles kernels that are alike once, so those of more leaves must not be others."""
    if jax.default_backend() != "cpu":
        pytest.skip("the form of the program is that of the CPU")
    adam = ADAMS[0]
    few, many = (kinds(adam, n) for n in (16, 48))
    assert few == many


def test_clocks_that_are_given_away_are_not_copied() -> None:
    """XLA copies what is read again after the next value has its memory; each copy is an operation more."""
    donating = jax.jit(program(ADAMS[0]), donate_argnums=(0, 2))
    text = donating.lower(*problem(ADAMS[0], 16), 1e-3).compile().as_text()
    assert text.count(" fusion(") > 16
    assert " copy(" not in text


def kinds(adam: Adam, n: int) -> int:
    """Return how many kernels a program of ``n`` leaves has that differ in more than names and sizes."""
    text = jax.jit(program(adam)).lower(*problem(adam, n), 1e-3).compile().as_text()
    bodies = re.findall(r"\n%?(?:fused|wrapped)[^\n]*\{\n(.*?)\n\}", text, re.DOTALL)
    plain = [re.sub(rf"%[\w.\-]+|, metadata=\{{[^}}]*\}}|\[{n}\]", "", body) for body in bodies]
    assert len(plain) > n
    return len({*plain})
