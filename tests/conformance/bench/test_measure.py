"""Timing: contenders take turns, and a row has medians of ratios within a round."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.backends.kernels import llvm
from adamcore.conformance.bench import measure
from adamcore.conformance.bench.contenders import Contender
from adamcore.conformance.bench.measure import Timing
from adamcore.conformance.bench.situations import SITUATIONS
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.steps import NoGradients

HOT = SITUATIONS["hot"]


def timing(times: list[float], baseline: bool = False) -> Timing:
    contender = Contender("numpy", "base" if baseline else "other", lambda shapes: Step(lambda: None))
    return Timing(contender, Step(lambda: None), 0.5, times)


def test_ratios_are_those_of_a_round() -> None:
    base, other = timing([1.0, 2.0, 4.0], baseline=True), timing([2.0, 2.0, 16.0])
    row = measure.make_row("100", HOT, ((100,),), other, base, base)
    assert (row.ratio, row.of_floor) == (2.0, 2.0)
    assert row.ratio_quartiles == (1.5, 3.0)
    assert (row.seconds, row.first, row.rounds) == (2.0, 0.5, 3)


def test_the_memory_traffic_has_no_ratio_to_the_baseline() -> None:
    base = timing([1.0, 2.0], baseline=True)
    traffic = Timing(None, Step(lambda: None), 0.0, [1.0, 1.0])
    row = measure.make_row("100", HOT, ((100,),), traffic, base, None)
    assert (row.name, row.framework, row.ratio, row.of_floor) == ("memory traffic", "numpy", None, None)


def test_every_contender_steps_once_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "available", lambda: False)
    steps: list[str] = []

    def contender(name: str) -> Contender:
        step = Step(lambda: steps.append(name))
        return Contender("numpy", name, lambda shapes: step, baseline=name == "a")

    shapes: Any = ((20_000,),)
    rows = measure.run_workload("x", shapes, [HOT], [contender("a"), contender("b")], 0.0)
    assert [row.rounds for row in rows] == [measure.LEAST] * 2
    turns = [steps[-2 * k : len(steps) - 2 * (k - 1)] for k in range(1, measure.LEAST + 1)]
    assert all(sorted(turn) == ["a", "b"] for turn in turns)
    assert len({tuple(turn) for turn in turns}) == 2  # the order varies


def test_a_step_that_measures_its_memory_is_asked() -> None:
    assert measure.extra_memory(Step(lambda: None, extra_memory=lambda: 28)) == 28


def test_each_situation_has_rows_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "available", lambda: False)
    with_gradients = Contender("numpy", "a", lambda shapes: Step(lambda: None, NoGradients()), baseline=True)
    without = Contender("numpy", "b", lambda shapes: Step(lambda: None))
    rows = measure.run_workload("x", ((10,),), list(SITUATIONS.values()), [with_gradients, without], 0.0)
    assert [(row.situation, row.name) for row in rows] == [
        ("training", "a"),
        ("kept", "a"),
        ("hot", "a"),
        ("hot", "b"),
    ]
