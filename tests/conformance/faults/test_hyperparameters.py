"""Faults of hyperparameters and schedules: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows

CASES = [
    ("BetasInBfloat16", "b1-b2-bfloat16", "NUM.4/decimals"),
    ("EpsilonInFloat16", "eps-float16", "NUM.4/decimals"),
    ("FirstBetaConstant", "b1-is-0.9", "DEC.1/coupling"),
    ("SecondBetaZeroIsNone", "b2-or-0.999", "MOM.2/b2-zero"),
    ("LrCapped", "lr-capped-0.1", "DEC.1/coupling"),
    ("ScheduleIgnored", "lr-kept", "DEC.2/lr-changed"),
    ("ScheduleLate", "lr-late", "DEC.2/lr-changed"),
    ("ScheduleOnce", "lr-once", "LR.1/odd-values"),
    ("ScheduleMultiplies", "lr-multiplied", "LR.1/odd-values"),
    ("ScheduleForgets", "lr-forgets", "DEC.2/lr-changed"),
    ("ZeroLrSkips", "lr-zero-skips", "LR.2/zero"),
    ("ZeroLrIsNone", "lr-zero-none", "LR.2/zero"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)
