"""Faults beyond the axes: Adams of the corpus, which share no code with the models, are named by them."""

from __future__ import annotations

import pytest
import score
from register import ITEMS

from adamcore import Adam
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Run
from adamcore.conformance.verdict.match import follows_formula, is_proved, relative_distance

score.load(score.files("numpy"))

FEW = [
    "STEP.1/fingerprint", "DEC.1/coupling", "EPS.2/comparable", "AMS.1/shrinking", "BC.3/not-written-back",
    "F2/zero-gradient", "NUM.4/near-one",
]  # fmt: skip

NAMED = {
    "SecondOfFirst": "v is an average of m*m",
    "RootMissing": "m is divided by v, not by its root",
    "EpsilonMaximum": "m is divided by max(root, eps)",
    "DecayInFirstOnly": "L2 enters m, not v",
    "AmsgradLate": "the maximum is without the present v, but for the first step",
    "NesterovPowerForProduct": "a power of mu(t) is taken for the product of all mu",
    "MomentsInFloat16": "moments are kept in float16",
    "WeightInFloat16": "1-b1 and 1-b2 are formed in float16",
    "ClipsParameters": "parameters are clipped at 2",
    "ZeroElementsNoMomentum": "elements with a zero gradient are not moved by their momentum",
}
"""Of each area one or two: what the first finding says."""


@pytest.mark.parametrize("name", NAMED)
def test_a_fault_of_the_formula_is_named(name: str) -> None:
    [item] = [
        item for item in ITEMS.values() if (item.name, item.held_out, item.library) == (name, False, "numpy")
    ]
    found = score.entry(item, FEW).findings[0]
    assert (found.area in item.areas, found.observed) == (True, NAMED[name])


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


@pytest.mark.parametrize("axes", [{}, {"decay": "decoupled"}, {"amsgrad": "uncorrected", "maximize": True},
                                  {"nesterov": "dozat", "epsilon": "outside-uncorrected"}])  # fmt: skip
def test_no_fault_is_the_claim_by_another_name(axes: dict[str, object]) -> None:
    """Every model walks or has no meaning; and each says something on some claim (below)."""
    claim = Adam(**axes)  # type: ignore[arg-type]
    right = float_trajectory(claim, PROBES["STEP.1/fingerprint"], None)
    assert right is not None
    for known in FAULTS:
        model = float_trajectory(claim, PROBES["STEP.1/fingerprint"], known)
        assert model is None or len(model.steps) == len(right.steps)


def test_names_and_rules_of_faults() -> None:
    assert len({f.name for f in FAULTS}) == len(FAULTS)
    assert len({f.observed for f in FAULTS}) == len(FAULTS)
    assert {f.rule for f in FAULTS} <= set(SAYS)
    areas = {area for item in ITEMS.values() for area in item.areas}
    assert {f.area for f in FAULTS} <= areas
