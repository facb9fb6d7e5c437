"""Faults of bias correction: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows

CASES = [
    ("CorrectionSwapped", "corrections-swapped", "DEC.1/coupling"),
    ("CorrectionBothByFirst", "corrections-b1", "DEC.1/coupling"),
    ("CorrectionMultiplied", "correction-times", "DEC.1/coupling"),
    ("CorrectionBothMultiplied", "corrections-times", "DEC.1/coupling"),
    ("CorrectionWithEpsilon", "corrections-eps", "DEC.1/coupling"),
    ("CorrectionRootMissing", "root-missing", "DEC.1/coupling"),
    ("CorrectionOffAfterTen", "correction-ends-10", "BC.3/not-written-back"),
    ("CorrectionWrittenToFirst", "written-back-first", "DEC.1/coupling"),
    ("CorrectionWrittenToLr", "correction-in-lr", "DEC.1/coupling"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)
