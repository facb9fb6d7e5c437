"""Faults of the maximum of AMSGrad: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("AmsgradDecays", "maximum-fading", "AMS.1/shrinking"),
    ("AmsgradMinimum", "maximum-minimum", "AMS.1/shrinking"),
    ("AmsgradOfArray", "maximum-of-array", "AMS.1/shrinking"),
    ("AmsgradOfGradient", "maximum-of-gg", "AMS.1/shrinking"),
    ("AmsgradOfRoot", "maximum-of-root", "AMS.1/shrinking"),
    ("AmsgradForgotten", "maximum-two", "AMS.1/shrinking"),
    ("AmsgradIntoSecond", "maximum-into-v", "BC.3/not-written-back"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("AmsgradLate") == (
        True,
        "the maximum is without the present v, but for the first step",
    )
