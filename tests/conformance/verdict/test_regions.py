"""Regions: which elements and steps they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray
from adamcore.conformance.verdict.regions import REGIONS

CLAIM = Adam(decay="decoupled", amsgrad="uncorrected")


def mask(where: str, probe: str, claim: Adam = CLAIM, dtype: str = "float32") -> FloatArray:
    [region] = [r for r in REGIONS if r.where == where and r.area != "clock"]
    found = region.mask(claim, PROBES[probe], dtype)
    assert found is not None
    return found


def test_after_an_absent_gradient_only_its_parameter_from_that_step_on() -> None:
    inside = mask("after an absent gradient", "F1/absent-middle")
    assert inside.shape == (8, 4)
    assert not inside[:, :2].any()
    np.testing.assert_array_equal(inside[:, 2], np.arange(8) >= 2)


def test_a_gradient_that_came_back() -> None:
    inside = mask("after a gradient that came back", "F1/absent-middle")
    np.testing.assert_array_equal(inside[:, 2], np.arange(8) >= 5)


def test_a_zero_is_seen_element_by_element() -> None:
    inside = mask("after a gradient of zero", "F2/zero-element")
    np.testing.assert_array_equal(inside.any(axis=0), [False, True, False])


def test_a_change_of_lr() -> None:
    inside = mask("after a change of lr", "DEC.2/lr-changed")
    np.testing.assert_array_equal(inside[:, 0], np.arange(8) >= 3)


def test_elements_after_the_last_whole_vector() -> None:
    inside = mask("in elements after the last whole vector of 8", "STEP.1/long")
    assert inside.shape[1] == 1025 + 4097
    np.testing.assert_array_equal(np.flatnonzero(inside[0]), [1024, 1025 + 4096])


@pytest.mark.parametrize(
    ("where", "most", "least"),
    [
        ("where decay acts", "DEC.1/coupling", "BC.1/first-steps"),
        ("where epsilon matters", "EPS.1/beside-small-root", "MOM.1/common"),
        ("where the maximum matters", "AMS.1/shrinking", "MOM.3/constant"),
    ],
)
def test_a_hyperparameter_matters_where_a_change_of_it_is_visible(where: str, most: str, least: str) -> None:
    assert mask(where, most)[-1].all()
    assert mask(where, least).mean() < mask(where, most).mean()


def test_a_claim_without_amsgrad_has_no_region_of_the_maximum() -> None:
    [region] = [r for r in REGIONS if r.area == "amsgrad"]
    assert region.mask(Adam(), PROBES["AMS.1/shrinking"], "float32") is None


def test_what_is_in_a_region_stays_in_it() -> None:
    for region in REGIONS:
        inside = region.mask(CLAIM, PROBES["F1/absent-alternating"], "float32")
        if inside is not None:
            assert (np.diff(inside.astype(int), axis=0) >= 0).all(), region.where


@pytest.mark.parametrize("name", ["b1", "b2", "eps", "weight_decay"])
def test_a_hyperparameter_that_the_candidate_does_not_take_matters_nowhere(name: str) -> None:
    whole = PROBES["DEC.1/coupling"]
    lacking = replace(whole, hyper={key: value for key, value in whole.hyper.items() if key != name})
    masks = [region.mask(CLAIM, lacking, "float32") for region in REGIONS]
    where = {"b1": "where b1 matters", "b2": "where b2 matters", "eps": "where epsilon matters",
             "weight_decay": "where decay acts"}[name]  # fmt: skip
    [mine] = [m for m, region in zip(masks, REGIONS, strict=True) if region.where == where]
    assert mine is not None
    assert not mine.any()
