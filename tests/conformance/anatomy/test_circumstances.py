"""The circumstances: each is a run of its own, and one that a candidate does not take says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from measured_adams import Parts, nothing_run, whole_anatomy

from adamcore.conformance.anatomy.circumstances import AFTER, CIRCUMSTANCES, FIRST, SECOND, read
from adamcore.conformance.anatomy.experiments import EXPERIMENTS


def test_their_runs_have_names_of_their_own() -> None:
    assert not set(CIRCUMSTANCES) & set(EXPERIMENTS)
    for name, probe in CIRCUMSTANCES.items():
        assert probe.name == f"anatomy/{name}"
        assert all(len(step.grads) == len(probe.params) for step in probe.steps)


def test_all_of_them_show_in_a_candidate_that_takes_them() -> None:
    r = whole_anatomy(Parts).readings
    assert set(read(FIRST | SECOND, r)) == set(FIRST | SECOND)
    assert {"absent", "zero lr", "no NaN", "in F", "0-d", "empty", "beside"} <= set(read(AFTER, r))


def test_what_a_candidate_does_not_take_says_nothing() -> None:
    assert read(FIRST | SECOND | AFTER, nothing_run()) == {}


def test_runs_that_were_compiled_are_not_compared_with_others() -> None:
    """Of an optimizer that compiles its step some runs are made without (docs/checking.md)."""
    r = whole_anatomy(Parts).readings
    runs = {name: replace(run, eager=name == "again") for name, run in r.runs.items()}
    assert set(read(FIRST, r)) - set(read(FIRST, replace(r, runs=runs))) == {"again"}


def test_numbers_that_must_be_the_same_are_compared_by_themselves() -> None:
    assert not np.any(read(FIRST, whole_anatomy(Parts).readings)["even"].value)
