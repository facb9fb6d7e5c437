"""Faults of arrays and elements: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, first_finding

CASES = [
    ("TailOfEightLost", "tail-of-8-if-any", "STEP.1/shapes"),
    ("FirstElementLost", "the first element does not move", "DEC.1/coupling"),
    ("LastElementLost", "the last element of several does not move", "STEP.1/shapes"),
    ("FirstRowOnly", "of a matrix the first row alone moves", "STEP.1/shapes"),
    ("ScalarsLost", "0-d arrays do not move", "STEP.1/shapes"),
    ("ManyArraysLost", "first-8-arrays", "STEP.1/shapes"),
    (
        "TailStale",
        "elements beyond the last whole vector of 4 get the first ones' gradients",
        "STEP.1/shapes",
    ),
    ("MatrixTransposed", "a matrix gets its gradient transposed", "STEP.1/shapes"),
    ("FortranScrambled", "Fortran order is read as C", "STEP.1/fortran"),
    ("StridesIgnored", "a strided gradient is read from the start of its base", "STEP.1/strided"),
    ("OddIndicesSwapped", "neighbouring elements are exchanged in arrays of more than 16", "STEP.1/shapes"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


@pytest.mark.parametrize(
    ("adam", "fault", "probe"),
    [
        (
            "OffsetIgnored",
            "a gradient that begins inside its memory is read from the beginning",
            "STEP.1/offset",
        ),
        ("BackwardsForwards", "a gradient that lies backwards in memory is read forwards", "STEP.1/reversed"),
        ("StridesIgnored", "a strided gradient is read from the start of its base", "STEP.1/offset"),
        ("StridesIgnored", "a strided gradient is read from the start of its base", "STEP.1/reversed"),
        ("NothingInDouble", "nothing moves", "STEP.1/shapes"),
    ],
)
def test_views_that_are_read_amiss_follow_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


def test_what_does_nothing_in_one_dtype_is_said_to_do_so() -> None:
    assert first_finding("NothingInDouble", "float32", "float64") == (
        True,
        "in float64 alone no element moves at all",
    )
