"""Faults of the clock: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows

CASES = [
    ("ClockTicksTwice", "clock-double", "DEC.1/coupling"),
    ("ClockTicksEveryOther", "clock-half", "DEC.1/coupling"),
    ("ClockTicksPerArray", "clock-of-calls", "STEP.1/shapes"),
    ("ClockTicksPerArrayFromOne", "clock-of-calls-late", "STEP.1/shapes"),
    ("CorrectionBeginsTwice", "clock-begins-twice", "DEC.1/coupling"),
    ("ClockByShape", "clock-of-shape", "F1/absent-middle"),
    ("ClockOfLastPresent", "clock-of-last", "F1/absent-middle"),
    ("ClockOfFirstArray", "clock-of-first", "F1/absent-middle"),
    ("ClockLargest", "clock-largest", "F1/absent-middle"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)
