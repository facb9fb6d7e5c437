"""Faults of clipping: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("ClipsAll", "clipped-by the nor-1", "STEP.1/shapes"),
    ("ClipsElements", "clipped-element by-1", "AMS.1/shrinking"),
    ("CentresGradient", "centred", "DEC.1/coupling"),
    ("ClipsFirstMoment", "m-clipped-0.5", "AMS.1/shrinking"),
    ("ClipsParameters", "p-clipped-2", "DEC.1/coupling"),
    ("ClipsArrays", "clipped-by each te-1", "AMS.1/shrinking"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("ClipsParameters") == (True, "parameters are clipped at 2")
