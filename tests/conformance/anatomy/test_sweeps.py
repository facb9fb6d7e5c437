"""Hyperparameters at far values: each is a run, and what it counts as is found by fitting the claim."""

from __future__ import annotations

import numpy as np
import pytest
from measured_adams import CLAIM

from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS, VALUES, counts_as


def test_each_value_is_a_run() -> None:
    assert len(SWEEPS) == sum(map(len, VALUES.values()))
    for key, sweep in SWEEPS.items():
        assert sweep.probe.hyper[sweep.name] == sweep.value
        assert sweep.probe.name == f"anatomy/{key}"


@pytest.mark.parametrize(
    ("key", "other"),
    [("b2=0.9999", 0.999), ("b1=0.9", 0.0), ("eps=1e-08", 1e-6), ("weight_decay=0.01", 0.02), ("lr=8", 1.0)],
)
def test_the_value_that_counts_is_found(key: str, other: float) -> None:
    sweep = SWEEPS[key]
    probe = sweep.probe
    made: Readings = readings_of_claim(CLAIM, {key: probe.with_hyper(**{sweep.name: other})}, "float64")
    found = counts_as(CLAIM, sweep, probe, made.moves(key).value, "float64")
    assert found == pytest.approx(other, rel=1e-5, abs=1e-12)


def test_a_value_is_found_where_moves_are_near_the_digits_of_the_parameters() -> None:
    sweep = SWEEPS["lr=1e-08"]
    probe = sweep.probe
    made = readings_of_claim(CLAIM, {sweep.key: probe.with_hyper(lr=1.0012e-8)}, "float64")
    found = counts_as(CLAIM, sweep, probe, made.moves(sweep.key).value, "float64")
    assert found == pytest.approx(1.0012e-8, rel=1e-6)


def test_what_no_value_explains_counts_as_none() -> None:
    sweep = SWEEPS["b1=0.9"]
    assert counts_as(CLAIM, sweep, sweep.probe, np.ones((3, 3)), "float64") is None
