"""Faults of the precision of coefficients: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("PowerInFloat16", "correction-power-float16", "BC.3/not-written-back"),
    ("PowerInFloat32", "correction-power-float32", "NUM.4/near-one"),
    ("CorrectionRoundedToFloat16", "correction-stored-float16", "DEC.1/coupling"),
    ("WeightInFloat16", "weights-float16", "DEC.1/coupling"),
    ("CorrectionLinear", "correction-linear", "DEC.1/coupling"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("WeightInFloat16") == (True, "1-b1 and 1-b2 are formed in float16")
