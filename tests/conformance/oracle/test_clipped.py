"""Clipped gradients of the oracle: exact factors, and what counts in a norm."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.types import Clipping, Probe, Step

P = (np.zeros(2), np.zeros(1))
HYPER = {"lr": 0.5, "b1": 0.5, "b2": 0.75, "eps": 0.25, "weight_decay": 0.0}


def probe(clip: Clipping, *steps: Step) -> Probe:
    return Probe("X.1/test", "", P, steps, HYPER, clip=clip)


def test_a_factor_to_more_digits_than_float64_has() -> None:
    step = Step((np.array([3.0, 0.0]), np.array([4.0])))
    [found] = clipped(probe(Clipping("global_norm", 1.0, 1e-6), step)).steps
    assert found.scaling is not None
    first, second = found.scaling
    assert first == second
    assert first is not None
    off = Fraction(first.high) + Fraction(first.low) - 1 / (5 + Fraction(1e-6))
    assert abs(off) < Fraction(1, 2**104)


@pytest.mark.parametrize("way", ["global_norm", "norm"])
def test_what_counts(way: str) -> None:
    """Not what is absent, under False, or not finite; and what fits stays as it is."""
    clip = Clipping(way, 1.0)  # type: ignore[arg-type]
    steps = (
        Step((np.array([3.0, np.nan]), None)),
        Step((np.array([3.0, 50.0]), np.array([70.0])), present=(np.array([True, False]), False)),
        Step((np.array([0.0, 1.0]), np.array([0.0]))),
        Step((np.array([0.0, 192.0]), np.array([0.0])), scale=64.0),
    )
    for step, over in zip(clipped(probe(clip, *steps)).steps, (3.0, 3.0, None, 3.0), strict=True):
        assert step.scaling is not None
        found = step.scaling[0]
        assert (None if found is None else found.high) == (None if over is None else 1 / over)


def test_by_value_without_a_rounding() -> None:
    step = Step((np.array([-9.0, 0.1]), np.array([np.inf])), scale=4.0)
    [found] = clipped(probe(Clipping("value", 0.5), step)).steps
    assert [None if g is None else g.tolist() for g in found.grads] == [[-2.0, 0.1], [2.0]]


def test_answers_and_bounds_are_those_of_clipped_gradients() -> None:
    step = Step((np.array([3.0, 0.0]), np.array([4.0])))
    ours = probe(Clipping("global_norm", 2.5), step, replace(step, grads=(P[0] + 0.125, P[1])))
    by_hand = replace(ours, clip=None, steps=(Step((np.array([1.5, 0.0]), np.array([2.0]))), ours.steps[1]))
    for dtype in ("float32", "float64"):
        got, want = exact(Adam(), ours), exact(Adam(), by_hand)
        wide, narrow = bounds(Adam(), ours, dtype), bounds(Adam(), by_hand, dtype)
        for s in range(2):
            for i in range(2):
                np.testing.assert_array_equal(got.steps[s][i][0].high, want.steps[s][i][0].high)
                assert (wide.steps[s][i][0].p >= narrow.steps[s][i][0].p).all()
                assert (wide.steps[s][i][0].p <= 40 * np.maximum(narrow.steps[s][i][0].p, 1e-7)).all()


def test_a_loss_scale_that_is_no_power_of_two_is_an_exact_factor() -> None:
    gradient = np.array([3.0, -1.5])
    given = Probe("X.1/test", "", P[:1], (Step((gradient,), scale=3.0), Step((gradient,), scale=4.0)), HYPER)
    odd, even = clipped(given).steps
    assert even is given.steps[1]
    assert odd.scale is None
    assert odd.scaling is not None
    [by] = odd.scaling
    assert by is not None
    off = Fraction(by.high) + Fraction(by.low) - Fraction(1, 3)
    assert 0 < abs(off) < Fraction(1, 2**104)
    assert by.roundings == 2
    divided = replace(given, steps=(Step((gradient / 3.0,)), given.steps[1]))
    wide, narrow = (bounds(Adam(), each, "float32").steps[0][0][0].p for each in (given, divided))
    assert (wide > narrow).all()  # the reciprocal and the product are rounded
