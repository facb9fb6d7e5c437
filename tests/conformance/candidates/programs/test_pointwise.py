"""What a function of JAX computes: its operations, its numbers and its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
jnp = jax.numpy
pointwise = pytest.importorskip("adamcore.conformance.candidates.programs.pointwise")


def results_of(function: Callable[..., Any], *arrays: Any) -> list[Any]:
    """Return the results of a function as nodes, and the inputs."""
    closed = jax.make_jaxpr(function)(*arrays)
    inputs = [pointwise.Node(v.aval.shape, v.aval.dtype, i) for i, v in enumerate(closed.jaxpr.invars)]
    found: list[Any] = pointwise.written_out(closed.jaxpr, inputs, closed.consts)
    return found


def arrays_of(function: Callable[..., Any], *arrays: Any) -> list[bool]:
    """Return which results of a function are arrays and no numbers."""
    results = results_of(function, *arrays)
    wide = pointwise.arrays_among(results, {k: pointwise.needed(r) for k, r in enumerate(results)})
    return [result in wide for result in results]


VECTOR, NUMBER, CLOCK = np.ones(3, "float32"), np.float32(2), np.int32(1)


def test_functions_that_are_called_are_written_out() -> None:
    [result] = results_of(lambda x: jax.jit(lambda y: y * y)(x) + x, VECTOR)
    names = [node.primitive.name for node in pointwise.needed(result) if node.operands]
    assert names == ["mul", "add"]


def test_a_number_that_is_computed_twice_is_one_node() -> None:
    first, second, other = results_of(lambda t: (1 - 0.5**t, 1 - 0.5**t, 1 - 0.25**t), NUMBER)
    assert first is second
    assert other is not first
    twice = results_of(lambda x: (x + x, x + x), VECTOR)
    assert twice[0] is not twice[1]  # arrays stay as they are


def test_an_input_without_dimensions_is_an_array_if_no_array_depends_on_it() -> None:
    def step(vector: Any, alone: Any, rate: Any, clock: Any) -> Any:
        return vector * rate, alone * rate, rate + 1.0, clock + 1

    assert arrays_of(step, VECTOR, NUMBER, NUMBER, CLOCK) == [True, True, False, False]


def test_numbers_alone_are_numbers() -> None:
    assert arrays_of(lambda x, y: (x + y, x * y), NUMBER, NUMBER) == [False, False]


@pytest.mark.parametrize("function", [jnp.cumsum, jnp.sum, lambda x: x[::-1]])
def test_what_mixes_elements_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(pointwise.NotElementwise):
        results_of(function, VECTOR)
