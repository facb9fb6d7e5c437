"""Faults of the moments and the step: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("SecondByFirstBeta", "b1-for-both", "DEC.1/coupling"),
    ("BetasInverted", "turned-both", "DEC.1/coupling"),
    ("FirstUnweighted", "w1-missing", "DEC.1/coupling"),
    ("SecondOfModulus", "v-of-|g|", "DEC.1/coupling"),
    ("SecondOfFirst", "v-of-m*m", "DEC.1/coupling"),
    ("FirstAdds", "keep1-missing", "DEC.1/coupling"),
    ("FirstLate", "late-first", "DEC.1/coupling"),
    ("FirstStartsAtGradient", "m-starts-at-g", "DEC.1/coupling"),
    ("SecondStartsAtEpsilon", "v-starts-at-eps", "DEC.1/coupling"),
    ("StepHalved", "step-times-0.5", "DEC.1/coupling"),
    ("StepOfSign", "sign-alone", "DEC.1/coupling"),
    ("RootMissing", "v-no-root", "DEC.1/coupling"),
    ("SecondOfArray", "v-of-the array's mean of g*g", "DEC.1/coupling"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


@pytest.mark.parametrize(
    ("adam", "observed"),
    [
        ("SecondOfFirst", "v is an average of m*m"),
        ("RootMissing", "m is divided by v, not by its root"),
    ],
)
def test_the_fault_is_named_first(adam: str, observed: str) -> None:
    assert first_finding(adam) == (True, observed)
