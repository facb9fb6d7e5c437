"""A step that is timed, and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore.conformance.bench.step import ListGradients, Step


def gradients(put: list[list[Any]]) -> tuple[list[Any], list[Any], ListGradients]:
    slots, source = [np.zeros(2), np.zeros(3)], [np.ones(2), np.full(3, 2.0)]
    made = ListGradients(slots, source, np.copy, np.copyto, lambda slots: put.append(list(slots)))
    return slots, source, made


def test_a_call_makes_one_step() -> None:
    calls: list[int] = []
    Step(lambda: calls.append(1))()
    assert calls == [1]


def test_made_gradients_are_copies_of_the_source() -> None:
    put: list[list[Any]] = []
    slots, source, made = gradients(put)
    made.release()
    assert slots == [None, None]
    made.make()
    for slot, x in zip(slots, source, strict=True):
        np.testing.assert_array_equal(slot, x)
        assert slot is not x
    assert [len(each) for each in put] == [2, 2]


def test_refilled_gradients_stay_where_they_are() -> None:
    slots, source, made = gradients([])
    before = list(slots)
    assert made.refill()
    for slot, old, x in zip(slots, before, source, strict=True):
        assert slot is old
        np.testing.assert_array_equal(slot, x)
