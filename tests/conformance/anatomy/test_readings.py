"""Readings: moves, weights and roots, and why there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from measured_adams import CLAIM, Parts, nothing_run, readings_of

from adamcore.conformance.anatomy.experiments import EXPERIMENTS, T
from adamcore.conformance.anatomy.readings import readings_of_claim
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.types import Run


def test_impulses_show_the_weights_of_both_moments() -> None:
    r = readings_of(ArrayCandidate(Parts, {}))
    t = np.arange(1, T + 1)
    age = np.subtract.outer(t, t)
    first = np.tril(0.2 * 0.8 ** np.maximum(age, 0)) / (1 - 0.8**t)[:, None]
    second = 0.04 * 0.96 ** np.maximum(age, 0) / (1 - 0.96**t)[:, None]
    np.testing.assert_allclose(r.linear.value[:, :T], first, rtol=1e-9)
    there = np.tril_indices(T)
    np.testing.assert_allclose(r.roots.value[:, :T][there], second[there], rtol=1e-9)
    assert np.all(r.linear.error[:, :T] <= 1e-12)


def test_a_claim_is_read_as_a_candidate_is() -> None:
    mine = readings_of(ArrayCandidate(Parts, {}))
    claimed = readings_of_claim(CLAIM, EXPERIMENTS, "float64")
    assert mine.linear.all_equal(claimed.linear)
    assert mine.roots.all_equal(claimed.roots)


def test_an_experiment_without_a_whole_run_gives_nan_and_says_why() -> None:
    r = nothing_run()
    assert r.why_not("main") == "no"
    assert np.isnan(r.linear.value).all()
    odd = replace(r, runs={"alone": Run(params=[[np.zeros(3)]] * 2)})
    assert odd.why_not("alone") == "parameters came back in another shape"
    assert odd.why_not("late") == "it was not run"
