"""The experiments: what they are made of, and where their arrays lie."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.experiments import (
    CONSTANT,
    DUST,
    EXPERIMENTS,
    LATE,
    LEVERS,
    PLACES,
    TINY,
    ZERO,
    T,
    experiment,
    impulses,
)
from adamcore.conformance.wire import pack_probe, unpack_probe


def test_an_impulse_is_a_gradient_in_one_step() -> None:
    rows = np.stack(impulses(4.0))
    assert np.array_equal(rows[:, :T], 4.0 * np.eye(T))
    assert not rows[:, ZERO].any()
    assert (rows[:, CONSTANT] == 4.0).all()
    assert (rows[1:, DUST] != 0).all()


def test_each_experiment_is_a_probe_of_its_own_name() -> None:
    for name, probe in EXPERIMENTS.items():
        assert probe.name == f"anatomy/{name}"
        assert all(len(step.grads) == len(probe.params) for step in probe.steps)
        for step in probe.steps:
            for p, g in zip(probe.params, step.grads, strict=True):
                assert g is None or g.shape == p.shape, name


def test_the_places_are_where_they_say() -> None:
    main = EXPERIMENTS["main"]
    gradients = [[step.grads[i] for step in main.steps] for i in range(len(main.params))]
    assert gradients[PLACES["linear"][1]][0][0] == TINY  # type: ignore[index]
    assert not np.any(gradients[PLACES["decay-none"][1]][0])
    assert main.params[PLACES["scale"][1] + 1].tolist() == [1.0] * 4
    assert len(main.params) == PLACES["last"][1] + 1


def test_they_are_the_same_in_both_dtypes_and_through_the_pipe() -> None:
    for probe in EXPERIMENTS.values():
        for array in (*probe.params, *(g for step in probe.steps for g in step.grads if g is not None)):
            assert np.array_equal(array, array.astype(np.float32))
        assert unpack_probe(pack_probe(probe)).hyper == probe.hyper


def test_the_late_impulses_reach_beyond_what_a_byte_counts() -> None:
    assert len(EXPERIMENTS["late"].steps) == LATE[-1] > 256


def test_an_experiment_has_the_levers_and_what_it_changes() -> None:
    probe = experiment("some", "about it", [np.zeros(2)], [[[1.0, 2.0]], [None]], b1=0.0)
    assert probe.name == "anatomy/some"
    assert probe.hyper == LEVERS | {"b1": 0.0}
    assert [step.grads[0] is None for step in probe.steps] == [False, True]
    assert probe.params[0].dtype == np.float64
