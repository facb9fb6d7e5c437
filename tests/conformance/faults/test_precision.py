"""Faults of formats that are too narrow: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("MomentsInFloat16", "mv-in-float16", "DEC.1/coupling"),
    ("ParametersInBfloat16", "p-in-bfloat16, cut off", "DEC.1/coupling"),
    ("FastReciprocalRoot", "root-fast", "DEC.1/coupling"),
    ("ArithmeticInFloat16", "root-in-float16", "DEC.1/coupling"),
    ("SecondMomentInBytes", "v-in-8 bits", "DEC.1/coupling"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_the_fault_is_named_first() -> None:
    assert first_finding("MomentsInFloat16") == (True, "moments are kept in float16")
