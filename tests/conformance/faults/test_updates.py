"""The parts of wrong formulas: with nothing replaced they are the definition's update."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.faults import _updates
from adamcore.conformance.oracle.perturbation import StepContext, UpdateInput
from adamcore.conformance.probes.design import numbers
from adamcore.definition import Coefficients, coefficients

CLAIMS: list[dict[str, Any]] = [
    {}, {"weight_decay": 0.5}, {"decay": "decoupled", "weight_decay": 0.5, "maximize": True},
    {"decay": "decoupled", "decay_order": "after", "weight_decay": 0.5}, {"amsgrad": "corrected"},
    {"epsilon": "outside-uncorrected"},
]  # fmt: skip


def given(axes: dict[str, Any]) -> tuple[StepContext, Coefficients, UpdateInput]:
    adam = Adam(lr=0.25, b1=0.75, b2=0.9, eps=0.125, **axes)
    c = coefficients(Host(), adam, 3, 0.25, 1.0)
    p, g, m, v = numbers(1, 5), numbers(2, 5), numbers(3, 5), numbers(4, 5) ** 2
    return StepContext(adam, 3, 0.25, (5,), False, 3), c, UpdateInput([(p, g, m)], v, 1.5 * v, {})


def assert_same(one: Any, other: Any) -> None:
    for (p, m), (q, n) in zip(one[0], other[0], strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-13)
        np.testing.assert_allclose(m, n, rtol=1e-13)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-13)


@pytest.mark.parametrize("axes", CLAIMS)
def test_moments_of_the_gradient_give_the_update(axes: dict[str, Any]) -> None:
    at, c, inputs = given(axes)
    assert_same(_updates.with_moments(at, c, inputs), _updates.as_defined(at, c, inputs))


@pytest.mark.parametrize("axes", CLAIMS)
def test_an_unchanged_step_gives_the_update(axes: dict[str, Any]) -> None:
    at, c, inputs = given(axes)
    assert_same(
        _updates.with_step(at, c, inputs, lambda delta, p, g: delta), _updates.as_defined(at, c, inputs)
    )


@pytest.mark.parametrize("axes", CLAIMS[:5])
def test_the_right_quotient_gives_the_update(axes: dict[str, Any]) -> None:
    at, c, inputs = given(axes)
    right = _updates.with_quotient(at, c, inputs, lambda x, v: x / (np.sqrt(v) + at.adam.eps))
    assert_same(right, _updates.as_defined(at, c, inputs))


def test_a_step_of_0_leaves_decay() -> None:
    at, c, inputs = given({"decay": "decoupled", "weight_decay": 0.5})
    [(p, _)], _, _ = _updates.with_step(at, c, inputs, lambda delta, p, g: 0.0 * delta)
    np.testing.assert_allclose(p, inputs.parts[0][0] * (1 - 0.25 * 0.5), rtol=1e-15)


def test_the_first_step_is_seen_once_and_only_from_zeros() -> None:
    _, _, inputs = given({})
    assert not _updates.is_first_step(inputs)
    zero = 0.0 * inputs.v
    fresh = UpdateInput([(zero, zero, zero)], zero, zero, {})
    assert _updates.is_first_step(fresh)
    assert not _updates.is_first_step(fresh)


def test_a_condition_that_does_not_hold() -> None:
    _updates.require(1.0)
    with pytest.raises(_updates.Meaningless):
        _updates.require(None)
