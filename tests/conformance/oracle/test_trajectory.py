"""Which parameters a step moves, with which clock: the reading of F1 to F6."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.perturbation import StepFault
from adamcore.conformance.oracle.trajectory import Trajectory, is_absent, mask_of, real_parts, simulate
from adamcore.conformance.types import FloatArray, Moments, Probe, Start, Step

ONE = np.ones(1)
HYPER = {"lr": 0.5, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.0}


class Log:
    """A slot that writes down what it is asked to do."""

    def __init__(self, adam: Adam, parts: list[FloatArray]) -> None:
        self.adam, self.parts = adam, len(parts)
        self.events: list[Any] = []

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        self.events.append(("step", t, lr))

    def set_state(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        self.events.append(("state", float(m[0][0])))

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.events.append(("moments", float(m[0][0]), float(v[0]), float(v_max[0])))

    def set_parameter(self, parts: list[FloatArray]) -> None:
        self.events.append("parameter")

    def tick(self, t: int, lr: float) -> None:
        self.events.append(("tick", t))

    def reset_moments(self) -> None:
        self.events.append("reset")

    def read(self) -> list[list[Any]]:
        return [self.events] * self.parts


def log(claim: Adam, probe: Probe) -> Trajectory[list[Any]]:
    return simulate(claim, probe, Log)


def probe(*grads: tuple[FloatArray | None, ...], **options: Any) -> Probe:
    steps = tuple(Step(step) for step in grads)
    return Probe("X.1/x", "", (ONE,) * len(grads[0]), steps, HYPER, **options)


def test_an_absent_gradient_stops_the_parameters_own_clock() -> None:
    after = log(Adam(), probe((ONE, ONE), (ONE, None), (ONE, ONE)))
    assert after.clocks == [[1, 1], [2, 1], [3, 2]]
    assert after.steps[-1][1][0] == [("step", 1, 0.5), ("step", 2, 0.5)]


def test_a_global_clock_ticks_for_an_absent_gradient() -> None:
    after = log(Adam(clock="global"), probe((ONE, ONE), (ONE, None), (ONE, ONE)))
    assert after.clocks == [[1, 1], [2, 2], [3, 3]]
    assert after.steps[-1][1][0] == [("step", 1, 0.5), ("tick", 2), ("step", 3, 0.5)]


@pytest.mark.parametrize(("all_missing", "clocks"), [("tick", [[1], [2], [3]]), ("hold", [[1], [1], [2]])])
def test_a_global_clock_where_every_gradient_is_absent(all_missing: Any, clocks: list[list[int]]) -> None:
    claim = Adam(clock="global", all_missing=all_missing)
    assert log(claim, probe((ONE,), (None,), (ONE,))).clocks == clocks


def test_a_global_clock_is_held_only_if_every_gradient_is_absent() -> None:
    claim = Adam(clock="global", all_missing="hold")
    assert log(claim, probe((ONE, ONE), (ONE, None), (None, None))).clocks == [[1, 1], [2, 2], [2, 2]]


def test_missing_zero_steps_with_a_zero_gradient() -> None:
    assert log(Adam(missing="zero"), probe((ONE,), (None,))).clocks == [[1], [2]]


@pytest.mark.parametrize(
    "claim", [Adam(missing="error"), Adam(clock="global", all_missing="error")], ids=["missing", "all"]
)
def test_a_claim_that_raises_ends_the_trajectory(claim: Adam) -> None:
    after = log(claim, probe((ONE,), (None,), (ONE,)))
    assert (after.raises, len(after.steps)) == (True, 1)


def test_a_complex_parameter_has_a_slot_for_each_part_or_one_for_both() -> None:
    z = np.array([1.0 + 2.0j])
    made: list[int] = []

    def make(adam: Adam, parts: list[FloatArray]) -> Log:
        made.append(len(parts))
        return Log(adam, parts)

    run = replace(probe((z,)), params=(z,))
    for claim, parts in ((Adam(), [1, 1]), (Adam(complex="modulus"), [2])):
        made.clear()
        simulate(claim, run, make)
        assert made == parts


def test_a_start_sets_state_and_clock() -> None:
    start = Start(7, 3.0 * ONE, ONE, ONE)
    after = log(Adam(), probe((ONE,), start=(start,)))
    assert after.clocks == [[8]]
    assert after.steps[0][0][0] == [("state", 3.0), ("step", 8, 0.5)]


def test_moments_that_a_step_is_given() -> None:
    """They take the place of the slot's own whether or not the parameter takes part; the clock goes on."""
    kept = Moments(2.0 * ONE, 3.0 * ONE), Moments(4.0 * ONE, 5.0 * ONE, 6.0 * ONE)
    given = replace(probe((ONE, ONE)), steps=(Step((ONE, ONE)), Step((ONE, None), moments=kept)))
    after = log(Adam(), given)
    assert after.clocks == [[1, 1], [2, 1]]
    first, second = (events for [events] in after.steps[-1])
    assert first[1:] == [("moments", 2.0, 3.0, 3.0), ("step", 2, 0.5)]
    assert second[1:] == [("moments", 4.0, 5.0, 6.0)]


def test_a_changed_learning_rate_stays_changed() -> None:
    steps = tuple(Step((ONE,), lr=lr) for lr in (None, 0.25, None))
    after = log(Adam(), replace(probe((ONE,)), steps=steps))
    assert [lr for _, _, lr in after.steps[-1][0][0]] == [0.5, 0.25, 0.25]


def test_flags_and_masks() -> None:
    step = Step((ONE, ONE, ONE), present=(True, False, np.array([False])))
    assert [is_absent(step, i) for i in range(3)] == [False, True, False]
    assert [mask_of(step, i, (1,)) for i in range(2)] == [None, None]
    np.testing.assert_array_equal(mask_of(step, 2, (1,)), [False])


def test_the_real_vectors_of_an_array() -> None:
    assert [x.tolist() for x in real_parts(np.array([[1 + 2j, 3 - 4j]]))] == [[1.0, 3.0], [2.0, -4.0]]
