"""What failures have in common, of runs that are right but for a made-up disturbance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Finding, FloatArray, Probe, Run
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.common_region import common_region
from adamcore.conformance.verdict.judge import judge

CLAIM = Adam(decay="decoupled", amsgrad="uncorrected")
LONG = 40  #: steps; probes of more are left out for time

Disturb = Callable[[Probe, int, int, FloatArray], FloatArray]  #: of probe, step, parameter, right values


def runs(disturb: Disturb, fault: Fault | None = None) -> dict[tuple[str, str], Run]:
    """The claim's runs in float64, disturbed in every step."""
    made: dict[tuple[str, str], Run] = {}
    for name, probe in PROBES.items():
        model = (
            float_trajectory(CLAIM, probe, fault)
            if len(probe.steps) <= LONG and probe.applies_to(CLAIM)
            else None
        )
        if model is None or model.raises:
            continue
        run = made[name, "float64"] = Run()
        for s, step in enumerate(model.steps):
            whole = [p[0] + 1j * p[1] if len(p) == 2 else p[0] for p in step]
            arrays = [x.reshape(p.shape) for x, p in zip(whole, probe.params, strict=True)]
            run.params.append([disturb(probe, s, i, x) for i, x in enumerate(arrays)])
    return made


def found(disturb: Disturb, fault: Fault | None = None) -> Finding:
    made = runs(disturb, fault)
    results = [judge(CLAIM, PROBES[name], dtype, run) for (name, dtype), run in made.items()]
    case = Case(CLAIM, made, results, False, PROBES)
    region = common_region(case, case.failures())
    assert region is not None
    assert all(region.leads_to(case, failure) for failure in case.failures())
    return region.finding


def right(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x


def beyond_eight(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x + 0.01 * (np.arange(x.size).reshape(x.shape) >= 8)


def scalars(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x + (0.01 + 0.01j if np.iscomplexobj(x) else 0.01) if x.ndim == 0 else x


def after_lr_changed(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x + 0.01 * any(step.lr is not None for step in probe.steps[: s + 1])


def after_absence(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x * (1.01 if any(step.grads[i] is None for step in probe.steps[: s + 1]) else 1.0)


def after_zero(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    seen = [step.grads[i] for step in probe.steps[: s + 1]]
    zero = np.any([g == 0 for g in seen if g is not None] or [np.zeros(x.shape)], axis=0)
    return x + 0.01 * zero


def in_fortran(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x + 0.01 * (probe.layout == "F")


def everywhere(probe: Probe, s: int, i: int, x: FloatArray) -> FloatArray:
    return x + 0.01 * (s + 1)


@pytest.mark.parametrize(
    ("disturb", "area", "says"),
    [
        (beyond_eight, "layout", "deviates only in elements from index 8"),
        (scalars, "layout", "deviates only in scalars"),
        (in_fortran, "layout", "deviates only in Fortran order"),
        (after_lr_changed, "schedule", "deviates only after a change of lr"),
        (after_absence, "missing", "deviates only after an absent gradient"),
        (after_zero, "zero_gradient", "deviates only after a gradient of zero"),
        (everywhere, "moments", "deviates in most of what it does"),
    ],
)
def test_failures_are_named_by_where_they_lie(disturb: Disturb, area: str, says: str) -> None:
    finding = found(disturb)
    assert (finding.area, finding.observed) == (area, says)
    assert finding.evidence is not None


@pytest.mark.parametrize(
    ("name", "factor", "area"), [("eps", 1.01, "epsilon"), ("weight_decay", 1.03, "decay")]
)
def test_a_small_change_of_a_hyperparameter_shows_where_it_matters(
    name: str, factor: float, area: str
) -> None:
    changed = Fault(probe=lambda probe: probe.with_hyper(**{name: factor * probe.hyper[name]}))
    assert found(right, changed).area == area
