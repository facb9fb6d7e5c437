"""What is left of a history: as little as a candidate needs to fail it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from array_adam import CLAIM, Good
from meeting_adams import LateRate, ScalarsForgotten

from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.checking.cutting import cut_down, without_step
from adamcore.conformance.probes.factors import factors_of
from adamcore.conformance.probes.histories import history
from adamcore.conformance.settings import HISTORIES
from adamcore.conformance.types import Probe, Result, Step
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.meetings import told


def judging(cls: type) -> Callable[[Sequence[Probe]], list[Result]]:
    """Return the function that judges runs of an array candidate in float64."""

    def judged(probes: Sequence[Probe]) -> list[Result]:
        with np.errstate(all="ignore"):
            return [judge(CLAIM, p, "float64", ArrayCandidate(cls, {}).run(p, "float64")) for p in probes]

    return judged


class FirstBetaStays(Good):
    """A state that is restored brings the b1 of its beginning."""

    def get_state(self) -> dict[str, object]:
        return super().get_state() | {"hyper": self.first}

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.first = getattr(self, "first", hyper)


@pytest.mark.parametrize(
    ("cls", "steps", "arrays", "factors", "events"),
    [
        (LateRate, 2, 2, ["gradients that are absent", "a learning rate that changes"], "no gradient"),
        (ScalarsForgotten, 2, 1, ["a state that is saved and restored", "arrays without dimensions"],
         "2 steps of an array of shape (): saved and restored before step 2"),
    ],
)  # fmt: skip
def test_what_is_left(cls: type, steps: int, arrays: int, factors: list[str], events: str) -> None:
    judged = judging(cls)
    probe, result = next(
        (probe, r)
        for probe in map(history, range(HISTORIES))
        for r in judged([probe])
        if r.status == "failed"
    )
    small, again = cut_down(probe, result, judged)
    assert again.status == judged([small])[0].status == "failed"
    assert (len(small.steps), len(small.params)) == (steps, arrays)
    needed = [f.name for f in factors_of(small) if judged([f.without(small)])[0].status == "passed"]
    assert needed == factors
    assert events in told(small)


def test_nothing_is_left_out_that_is_needed() -> None:
    """If only the whole fails, the whole is what is left."""
    probe = history(1)

    def judged(probes: Sequence[Probe]) -> list[Result]:
        return [Result(p.name, "float64", "failed" if p is probe else "passed") for p in probes]

    failure = Result(probe.name, "float64", "failed")
    assert cut_down(probe, failure, judged) == (probe, failure)


def test_one_step_and_one_parameter_stay() -> None:
    def judged(probes: Sequence[Probe]) -> list[Result]:
        return [Result(p.name, "float64", "failed") for p in probes]

    small, _ = cut_down(history(3), Result("", "float64", "failed"), judged)
    assert (len(small.steps), len(small.params)) == (1, 1)
    assert not small.is_resumed
    assert factors_of(replace(small, drawn=True)) == []


def test_the_step_after_one_that_is_cut_has_the_values_that_it_set() -> None:
    grads = (np.ones(1),)
    steps = (Step(grads, lr=0.5, changes={"b1": 0.5, "eps": 0.25}), Step(grads, changes={"eps": 0.125}))
    [left] = without_step(Probe("X.1/x", "", (np.ones(1),), steps, {}), 0).steps
    assert (left.lr, left.changes) == (0.5, {"b1": 0.5, "eps": 0.125})
