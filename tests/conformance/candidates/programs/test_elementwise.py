"""Functions of JAX by programs that are shared: what is shared, what is not, and that both give the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.optax import MOST_COMPILED, OptaxCandidate
from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.probes import PROBES

jax = pytest.importorskip("jax")
jnp = jax.numpy
elementwise = pytest.importorskip("adamcore.conformance.candidates.programs.elementwise")


class Otherwise(Exception):
    """The function was to be run as it is."""


def refused(*trees: Any) -> Any:
    raise Otherwise


def shared(function: Callable[..., Any], programs: Any = None) -> Callable[..., Any]:
    found: Callable[..., Any] = (programs or elementwise.Programs()).shared(function, refused)
    return found


@jax.jit
def quotient(x: Any, y: Any) -> Any:
    return x / y


def step(grads: Any, state: Any, params: Any) -> Any:
    """Return a step with numbers, arrays, a captured one, functions that are called, and an unused value."""
    weight = np.arange(1.0, 4.0, dtype="float32")
    count = state["count"] + 1
    _ = count * 2
    m = [jnp.where(count > 2, 0.5 * g, g - m) for g, m in zip(grads, state["m"], strict=True)]
    new = [p - quotient(x, 1 + jnp.sqrt(jnp.abs(x))) for p, x in zip(params, m, strict=True)]
    new[0] = new[0] * weight + quotient(0.25, 1.0 + count)
    return new, {"count": count, "m": m, "same": params[0], "number": jnp.float32(3), "full": jnp.ones(2)}


def arrays(seed: int, *shapes: tuple[int, ...]) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [draw.standard_normal(shape).astype("float32") for shape in shapes]


@pytest.mark.parametrize("count", [0, 7])
def test_a_step_is_that_of_jit(count: int) -> None:
    shapes = (3,), (2, 5), (), (0, 2), (700,)
    state = {"count": np.int32(count), "m": arrays(1, *shapes)}
    given = arrays(2, *shapes), state, arrays(3, *shapes)
    ours, theirs = shared(step)(*given), jax.jit(step)(*given)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (np.shape(x), x.dtype) == (y.shape, y.dtype)
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


def test_equal_programs_of_other_shapes_and_numbers_are_compiled_once() -> None:
    programs = elementwise.Programs()

    def decay(factor: float) -> Callable[..., Any]:
        return shared(lambda params, count: ([factor * p - count for p in params], count + 1), programs)

    decay(0.5)(arrays(1, (3,)), np.float32(1))
    known, counted = len(programs.compiled), compilations.count()
    found, count = decay(0.25)(arrays(1, (2, 2), (5,), (1,)), np.float32(2))
    assert len(programs.compiled) == known
    assert compilations.count() == counted + 1  # as if it had been compiled
    assert float(count) == 3.0
    np.testing.assert_array_equal(found[1], 0.25 * arrays(1, (2, 2), (5,), (1,))[1] - 2)


def test_parameters_with_the_same_numbers_are_run_at_once() -> None:
    shapes = (3,), (2, 2), (0, 2), (5,), (1,)
    given, factors = arrays(1, *shapes), (0.5, 0.25, 0.5, 0.5, 0.25)
    programs = elementwise.Programs()

    def decay(params: Any) -> Any:
        return [factor * p for factor, p in zip(factors, params, strict=True)]

    plan = programs.plan(decay, [given])
    assert [len(parts) for parts in plan.runs] == [3, 2]
    assert len(programs.compiled) == 1
    for got, factor, p in zip(plan.run(given), factors, given, strict=True):
        np.testing.assert_array_equal(got, factor * p)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - jnp.mean(x),
        lambda x: jnp.cumsum(x),
        lambda x: x[::-1],
        lambda x: x * jnp.arange(4.0),
        lambda x: x.reshape(2, 2),
        lambda x: x[:, None] * x,
        lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
        lambda x: jnp.stack([x, x]).max(0),
        lambda x: (x, 1.0),
        lambda x: bool(x[0]),
        lambda x: (x.astype("bfloat16") * 0.9).astype("float32"),
    ],
)  # fmt: skip
def test_what_is_not_known_to_treat_each_element_alone_is_run_as_it_is(function: Callable[..., Any]) -> None:
    with pytest.raises(Otherwise):
        shared(function)(np.ones(4, "float32"))


def test_a_state_of_another_dtype_in_each_step_counts_as_compiled_anew() -> None:
    step = shared(lambda x: x + x)
    before = compilations.count()
    for dtype in ("float32", "int32", "float32"):
        step(np.ones(3, dtype))
    assert compilations.count() == before + 2


def test_most_probes_of_optax_share_their_programs() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adamw", [None], {}, None)
    for name in ("STEP.1/fingerprint", "STATE.4/uninterrupted", "MOM.1/common", "DEC.1/coupling"):
        assert candidate.run(PROBES[name], "float32").error is None
    compiled = candidate.programs.compiled  # type: ignore[attr-defined]
    assert len(compiled) == 3  # the correction of a clock, a parameter that decays, and one that does not


def test_numbers_that_are_known_given_or_computed_make_no_other_program_of_arrays() -> None:
    programs = elementwise.Programs()
    x, y = arrays(1, (3,), (2, 2))
    rate = np.float32(0.75)
    known = shared(lambda p, g: p - 0.75 * g, programs)(x, y.ravel()[:3])
    assert len(programs.compiled) == 1
    given = shared(lambda p, g, rate: p - rate * g, programs)(x, y.ravel()[:3], rate)
    assert len(programs.compiled) == 1
    computed = shared(lambda p, g, rate: p - (1 - rate) * g, programs)(x, y.ravel()[:3], 1 - rate)
    assert len(programs.compiled) == 2  # and one of the number
    np.testing.assert_array_equal(known, given)
    np.testing.assert_array_equal(known, computed)


def test_a_parameter_without_dimensions_is_run_with_the_others() -> None:
    programs = elementwise.Programs()

    def step(params: Any, rate: Any) -> Any:
        return [p - rate * p for p in params]

    given = arrays(1, (3,), (), (2, 2))
    plan = programs.plan(step, [given, np.float32(0.5)])
    assert [len(parts) for parts in plan.runs] == [3]
    for got, p in zip(plan.run([*given, np.float32(0.5)]), given, strict=True):
        assert np.shape(got) == np.shape(p)
        np.testing.assert_array_equal(got, p - np.float32(0.5) * p)


def test_complex_numbers_are_run_by_shared_programs() -> None:
    z = np.array([1 + 2j, -0.5j, 3], "complex64")

    def step(p: Any) -> Any:
        return p / jnp.sqrt(1 + (p * p.conj()).real), jnp.real(p) + 1j * jnp.imag(p)

    for got, expected in zip(shared(step)(z), jax.jit(step)(z), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("rest", [-1, 0, 1, 5 + 2 * elementwise.LENGTH])
def test_parameters_of_any_length_are_run_by_one_program(rest: int) -> None:
    first, x = (np.arange(n, dtype="float32") for n in (3, elementwise.LENGTH + rest))
    programs = elementwise.Programs()
    for given in ([x], [first, x], [x, first, x]):
        for got, p in zip(shared(lambda xs: [x + 1 for x in xs], programs)(given), given, strict=True):
            np.testing.assert_array_equal(got, p + 1)
    assert len(programs.compiled) == 1
    assert all(program._cache_size() == 1 for program in programs.compiled.values())


@pytest.mark.slow
@pytest.mark.parametrize("norm", [False, True])
def test_many_arrays_are_traced_only_if_fewer_were_taken_apart(
    norm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs the norm of all gradients would be traced in vain, which takes seconds."""
    optax = pytest.importorskip("optax")
    traced: list[int] = []
    plan = elementwise.Programs.plan

    def watched(self: Any, function: Callable[..., Any], trees: Any) -> Any:
        traced.append(len(jax.tree.leaves(trees)))
        return plan(self, function, trees)

    def clipped(learning_rate: float, b1: float, b2: float, eps: float, weight_decay: float) -> Any:
        made = optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay)
        return optax.chain(optax.clip_by_global_norm(1e30), made)

    monkeypatch.setattr(elementwise.Programs, "plan", watched)
    candidate = OptaxCandidate(clipped if norm else optax.adamw, {}, None, None)
    for name in ("CPX.1/complex", "STEP.1/fingerprint", "STEP.1/many"):
        assert candidate.run(PROBES[name], "float32").error is None
    assert (max(traced) > MOST_COMPILED) is not norm
