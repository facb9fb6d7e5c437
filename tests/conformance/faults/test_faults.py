"""The catalogue of faults: names, rules and areas, and a model for each."""

from __future__ import annotations

import pytest
import score
from register import ITEMS

from adamcore import Adam
from adamcore.conformance.faults import FAULTS, IN_ONE_ELEMENT
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import SAYS

score.load(score.files("numpy"))


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
    areas = {area for item in ITEMS.values() for area in item.areas} | {"closure"}  # which torch alone has
    assert {f.area for f in FAULTS} <= areas


def test_identification_tries_faults_that_one_element_shows() -> None:
    """Of moments and hyperparameters those alone that the oracle proves: other optimizers have the rest."""
    assert 20 < len(IN_ONE_ELEMENT) < len(FAULTS)
    proved = {"epsilon", "bias_correction", "decay", "clock"}
    assert all(fault.update is None or fault.area in proved for fault in IN_ONE_ELEMENT)
    assert {fault.area for fault in IN_ONE_ELEMENT} <= proved | {"hyperparameters", "moments"}
