"""The numbers that probes are made of."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import array, gradients, moving, numbers, resumed


def test_arrays_are_exact_in_float32() -> None:
    assert array(0.1) == np.float32(0.1)
    z = array([0.1 + 0.2j])
    assert z.dtype == np.complex128
    assert complex(z[0]) == complex(np.complex64(0.1 + 0.2j))


def test_arrays_of_a_probe_are_exact_in_float32() -> None:
    for probe in (p for p in PROBES.values() if p.only != ("float64",)):
        values = [*probe.params, *(g for s in probe.steps for g in s.grads if g is not None)]
        for value in values:
            np.testing.assert_array_equal(value, array(value))


def test_numbers_are_away_from_zero_and_the_same_every_time() -> None:
    x = numbers(3, 50, 40)
    assert x.shape == (50, 40)
    assert np.abs(x).min() >= 0.125
    assert np.abs(x).max() <= 1.125
    assert set(np.sign(x).ravel()) == {-1.0, 1.0}
    np.testing.assert_array_equal(x, numbers(3, 50, 40))
    assert (x != numbers(4, 50, 40)).any()


def test_steps_from_a_sequence_of_gradients_for_each_parameter() -> None:
    first, second = gradients([1.0, 2.0], [[0.5], None])
    assert [g.tolist() for g in first.grads if g is not None] == [1.0, [0.5]]
    assert second.grads[1] is None


def test_moving_gradients_change_from_step_to_step() -> None:
    steps = moving(5, 3, (4,), (2, 2))
    shapes = [[g.shape for g in step.grads if g is not None] for step in steps]
    assert shapes == [[(4,), (2, 2)]] * 3
    assert (np.asarray(steps[0].grads[0]) != np.asarray(steps[1].grads[0])).any()


def test_a_run_is_restored_halfway_or_where_it_is_said() -> None:
    probe = PROBES["STATE.4/uninterrupted"]
    assert [s for s, step in enumerate(resumed(probe).steps) if step.resumed] == [5]
    assert [s for s, step in enumerate(resumed(probe, 0, 3).steps) if step.resumed] == [0, 3]
    assert resumed(probe).is_resumed
    assert not probe.is_resumed
