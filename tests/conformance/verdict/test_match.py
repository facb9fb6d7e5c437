"""Whether a run is that of an Adam with a fault: proved within a bound, or as close as roundings let it."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Run
from adamcore.conformance.verdict.match import (
    comparable,
    distance_in_lr,
    flat_model,
    flat_run,
    follows_formula,
    is_proved,
    relative_distance,
)


def fault(name: str) -> Fault:
    [found] = [f for f in FAULTS if f.name == name]
    return found


def rounded(claim: Adam, probe: str, of: Fault | None, error: float) -> Run:
    """What a float64 candidate with a fault would do, each value off by a relative error."""
    walk = float_trajectory(claim, PROBES[probe], of)
    assert walk is not None
    return Run([[x[0].reshape(p.shape) * (1 + error) for x, p in zip(step, PROBES[probe].params, strict=True)]
                for step in walk.steps])  # fmt: skip


def test_a_form_explains_what_is_as_close_as_roundings_and_nothing_farther() -> None:
    claim, probe, known = Adam(decay="decoupled"), PROBES["DEC.1/coupling"], fault("v-of-|g|")
    assert follows_formula(claim, probe, rounded(claim, probe.name, known, 1e-12), known)
    assert is_proved(claim, probe, "float64", rounded(claim, probe.name, known, 1e-12), fault=known)
    assert not follows_formula(claim, probe, rounded(claim, probe.name, known, 1e-7), known)


def test_a_form_that_changes_nothing_explains_nothing() -> None:
    claim, probe, idle = Adam(decay="decoupled"), PROBES["DEC.1/coupling"], fault("v-floor-1e-30")
    run = rounded(claim, probe.name, None, 1e-10)
    assert relative_distance(float_trajectory(claim, probe, idle), run, 1.0) < 1e-9
    assert not follows_formula(claim, probe, run, idle)


def test_rounding_as_in_float32_is_proved_by_the_bound_of_float32() -> None:
    claim, probe, narrow = Adam(decay="decoupled"), PROBES["DEC.1/coupling"], fault("all-float32")
    near, far = (rounded(claim, probe.name, None, error) for error in (2e-8, 1e-5))
    assert is_proved(claim, probe, "float64", near, fault=narrow)
    assert not is_proved(claim, probe, "float64", near)
    assert not is_proved(claim, probe, "float64", far, fault=narrow)


def test_a_fault_of_the_input_is_proved_by_the_oracle() -> None:
    claim, probe = Adam(decay="decoupled"), PROBES["DEC.1/coupling"]
    known, other = fault("betas-swapped"), fault("lr-squared")
    run = rounded(claim, probe.name, known, 1e-16)
    assert is_proved(claim, probe, "float64", run, fault=known)
    assert not is_proved(claim, probe, "float64", run, fault=other)
    assert not is_proved(claim, probe, "float64", run)


def test_distances_are_in_lr_and_infinite_where_one_alone_is_finite() -> None:
    probe = PROBES["DEC.1/coupling"]
    run = rounded(Adam(), probe.name, None, 0.0)
    got, model = flat_run(run), flat_model(Adam(), probe, None)
    assert got is not None
    assert distance_in_lr(got, model, probe) < 1e-12
    got[4] += 0.125
    assert distance_in_lr(got, model, probe) == pytest.approx(0.125 / probe.hyper["lr"], rel=0.05)
    got[4] = np.nan
    assert distance_in_lr(got, model, probe) == np.inf


def test_runs_of_other_sizes_or_with_an_error_are_not_compared() -> None:
    probe = PROBES["DEC.1/coupling"]
    run = rounded(Adam(), probe.name, None, 0.0)
    model = float_trajectory(Adam(), probe, None)
    assert model is not None
    assert comparable(model.steps, False, run)
    assert not comparable(model.steps, True, run)
    assert not comparable(model.steps[:-1], False, run)
    run.error = "ValueError: no"
    assert flat_run(run) is None
    assert not comparable(model.steps, False, run)
