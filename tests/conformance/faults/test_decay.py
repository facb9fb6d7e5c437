"""Faults of weight decay: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("DecayGrowth", "decay-sign", "DEC.1/coupling"),
    ("DecayTimesLrSquared", "decay-lr-squared", "DEC.1/coupling"),
    ("DecayMatricesOnly", "decay-matrices", "STEP.1/shapes"),
    ("DecayOfInitialLr", "decay-first-lr", "DEC.2/lr-changed"),
    ("DecayInFirstOnly", "decay-first-only", "DEC.1/coupling"),
    ("DecayInSecondOnly", "decay-second-only", "DEC.1/coupling"),
    ("DecayTwice", "decay-both", "DEC.1/coupling"),
    ("DecayCautious", "decay-of-p only where the step goes its way", "DEC.1/coupling"),
    ("DecayOfSign", "decay-of-sign(p): L1", "DEC.1/coupling"),
    ("DecayToStart", "decay-of-p minus its start", "DEC.1/coupling"),
    ("DecayExponential", "decay-exponential", "DEC.1/coupling"),
    ("DecayNegatedToo", "decay-negated", "DEC.1/coupling"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("DecayInFirstOnly") == (True, "L2 enters m, not v")
