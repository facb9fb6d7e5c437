"""What a function of JAX counts is computed by NumPy, and is what XLA computes; the rest is left to XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
jnp = jax.numpy
counting = pytest.importorskip("adamcore.conformance.candidates.programs.counting")
elementwise = pytest.importorskip("adamcore.conformance.candidates.programs.elementwise")

T, RATE = np.int32(7), np.float32(0.1)


def plan_of(function: Callable[..., Any], *given: Any) -> tuple[Any, int]:
    """Return what a function gives by its plan, and how many programs that has."""
    programs = elementwise.Programs()
    found = programs.plan(function, given).run(given)
    return found, len(programs.compiled)


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda t: jnp.where(t < 2**31 - 1, t + 1, t), T),
        (lambda t: jnp.where(t < 2**31 - 1, t + 1, t), np.int32(2**31 - 1)),
        (lambda t: t + 1, np.int32(2**31 - 1)),
        (lambda t: (t * 3 - 2, jnp.maximum(t, 9), (t == 7) | (t != 7), (t >= 3) ^ True), T),
        (lambda t: jnp.where(t > 3, 0.5, jnp.where(t > 1, 0.25, 1e-40)).astype("float32"), T),
        (lambda t: jax.lax.select_n(t < 9, jnp.float32(0.5), jnp.float32(-0.0)), T),
        (lambda x: (jnp.copy(x), x.astype("complex64")), np.float32(1e-40)),
    ],
)
def test_what_is_counted_is_what_xla_computes_and_needs_no_program(
    function: Callable[..., Any], given: Any
) -> None:
    ours, programs = plan_of(function, given)
    assert programs == 0
    theirs = jax.jit(function)(given)
    for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert isinstance(x, np.ndarray)
        assert (x.shape, x.dtype, x.tobytes()) == (y.shape, y.dtype, np.asarray(y).tobytes())


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda x: x + 1.0, RATE),
        (lambda t: t / 3, T),
        (lambda t: 0.9**t, T),
        (lambda t: t.astype("float32"), T),
        (lambda x: x > 0, np.float32(1e-40)),  # XLA may take it for 0
        (lambda x: jnp.maximum(x, 0), RATE),
    ],
)
def test_numbers_that_may_be_rounded_are_left_to_xla(function: Callable[..., Any], given: Any) -> None:
    _, programs = plan_of(function, given)
    assert programs == 1


def test_a_number_that_is_passed_on_shares_the_program_of_the_one_before() -> None:
    programs = elementwise.Programs()
    for function in (
        lambda t: 1 - 0.9 ** (t + 1),
        lambda t: (1 - 0.9 ** (t + 1)).astype("complex64"),
        lambda t: jnp.copy(1 - 0.8**t),
    ):
        found = programs.plan(function, [T]).run([T])
        assert np.asarray(found).tobytes() == np.asarray(jax.jit(function)(T)).tobytes()
    assert len(programs.compiled) == 1


def test_a_choice_between_computed_numbers_is_part_of_their_program() -> None:
    found, programs = plan_of(lambda t: jnp.where(t > 3, 1 - 0.9**t, 1 + 0.9**t), T)
    assert programs == 1
    np.testing.assert_allclose(found, 1 - 0.9**7, rtol=1e-6)
