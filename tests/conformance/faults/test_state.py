"""Faults of absent gradients and resumed state: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows

CASES = [
    ("AbsentDecays", "absent-decays", "F1/absent-middle"),
    ("AbsentForgets", "absent-forgets", "F1/absent-middle"),
    ("AbsentForgetsMoments", "absent-resets", "F1/absent-middle"),
    ("AbsentFades", "absent-fades", "F1/absent-middle"),
    ("AbsentRepeats", "absent-stale", "F1/absent-middle"),
    ("AbsentStopsAll", "absent-stops-all", "F1/absent-middle"),
    ("AbsentStopsThoseAfter", "absent-stops-rest", "F1/absent-first-of-several"),
    ("AbsentAtFirstNeverMoves", "absent-first-never", "F1/absent-first"),
    ("ResumeLosesClock", "resume-loses-the clock", "BC.1/t10"),
    ("ResumeTicks", "resume-ticks", "BC.1/t10"),
    ("ResumeLosesSecond", "resume-loses-v", "BC.1/t10"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)
