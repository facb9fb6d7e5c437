"""Leaves of a program as calls of one function: with the bits of the program without calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState
from adamcore.definition import Coefficients
from adamcore.jobs import Job, LeafDtypes

jax = pytest.importorskip("jax")
jnp: Any = jax.numpy

called: Any = pytest.importorskip("adamcore.backends.jax.called")
JaxBackend: Any = pytest.importorskip("adamcore.backends.jax.backend").JaxBackend

ADAMS = {
    "decoupled": Adam(weight_decay=0.1, decay="decoupled"),
    "global": Adam(clock="global", amsgrad="corrected", maximize=True),
    "dozat": Adam(nesterov="dozat", moment_dtype="float32"),
    "modulus": Adam(complex="modulus"),
    "8 bits": Adam(m_storage="blockwise8", v_storage="blockwise8"),
    "stochastic": Adam(p_storage="stochastic"),
}
DTYPES = {"dozat": "bfloat16", "modulus": "complex64", "stochastic": "bfloat16"}
SHAPES = [(3,), (2, 2), ()]
N = 9


def problem(name: str, adam: Adam) -> tuple[list[Any], list[Any], AdamState]:
    random = np.random.default_rng(0)
    shapes = [SHAPES[i % 3] for i in range(N)]
    p, g = (
        [jnp.asarray(random.standard_normal(s), DTYPES.get(name, "float32")) for s in shapes]
        for _ in range(2)
    )
    return p, g, adam.init(p)


def program(adam: Adam) -> Callable[..., Any]:
    """Return a step as a new function, which JAX has not traced before."""
    return lambda p, g, s, lr: adam.step(p, g, s, lr=lr)


def calls(text: str) -> int:
    return text.count("call @leaf")


@pytest.mark.parametrize(
    "name", ["decoupled", *(pytest.param(x, marks=pytest.mark.slow) for x in list(ADAMS)[1:])]
)
def test_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adam = ADAMS[name]
    args = (*problem(name, adam), 1e-3)
    lowered = jax.jit(program(adam)).lower(*args)
    assert calls(lowered.as_text()) == (0 if name == "stochastic" else N)
    with_calls = lowered.compile()(*args)
    monkeypatch.setattr(called, "MANY", N + 1)
    lowered = jax.jit(program(adam)).lower(*args)
    assert calls(lowered.as_text()) == 0
    jax.tree.map(np.testing.assert_array_equal, with_calls, lowered.compile()(*args))


def test_leaves_alike_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    adam, traced = Adam(b1=0.8125), 0
    apply_one = JaxBackend.apply_one

    def counting(self: Any, *args: Any) -> Any:
        nonlocal traced
        traced += 1
        return apply_one(self, *args)

    monkeypatch.setattr(JaxBackend, "apply_one", counting)
    jax.jit(program(adam)).lower(*problem("", adam), 1e-3)
    assert traced == len(SHAPES)


def test_numbers_that_the_host_knows_stay_numbers() -> None:
    """As an argument of a function a float64 would be rounded twice on the way to bfloat16."""
    adam = Adam(clock="global")
    p, g, state = problem("dozat", adam)
    text = jax.jit(lambda p, g: adam.step(p, g, state)).lower(p, g).as_text()
    assert calls(text) == 0


@pytest.mark.parametrize("transform", [jax.vmap, jax.grad, jax.jit])
def test_only_what_jit_traces_is_called(transform: Any) -> None:
    """Outside of jit, vmap and grad run one operation after the other; a function is compiled as a whole."""
    served = []

    def look(x: Any) -> Any:
        c = Coefficients(*[x] * len(Coefficients._fields))
        job = Job(x, x, x, x, None, c, None, LeafDtypes("float32", "float32", "float32", False))
        served.append(called.can_be_called(job) and called.serves([job] * N))
        return x

    transform(look)(jnp.ones(1 if transform is jax.vmap else ()))
    assert served == [transform is jax.jit]


@pytest.mark.slow
@pytest.mark.parametrize("transform", ["vmap", "grad"])
def test_transformations_under_jit(transform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adam = ADAMS["decoupled"]
    p, g, state = problem("decoupled", adam)

    def run() -> Any:
        step = program(adam)
        if transform == "vmap":
            two = jax.tree.map(lambda x: jnp.stack([x, x + 1]), (p, g, state))
            return jax.vmap(jax.jit(step), in_axes=(0, 0, 0, None))(*two, 1e-3)
        return jax.grad(jax.jit(lambda lr: sum(map(jnp.sum, step(p, g, state, lr)[0]))))(1e-3)

    with_calls = run()
    monkeypatch.setattr(called, "MANY", N + 1)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), with_calls, run())
