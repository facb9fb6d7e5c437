"""Faults of epsilon: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("EpsilonMaximum", "eps-max(root, eps)", "EPS.2/comparable"),
    ("EpsilonSquaredIfSmall", "eps-squared-up-to-1e-6", "EPS.1/small"),
    ("EpsilonSquaredIfTiny", "eps-squared-up-to-1e-6", "EPS.1/small"),
    ("EpsilonAfterReciprocal", "eps-1/(1/root + eps)", "EPS.2/comparable"),
    ("EpsilonHat", "eps-over-root", "DEC.1/coupling"),
    ("EpsilonNotHat", "eps-times-root", "DEC.1/coupling"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("EpsilonMaximum") == (True, "m is divided by max(root, eps)")
