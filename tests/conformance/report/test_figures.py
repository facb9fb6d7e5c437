"""Measured curves: what differs from the claim differs in its own figure."""

from __future__ import annotations

import numpy as np
from measured_adams import Parts, anatomy, eps_inside, nothing_run

from adamcore import Adam
from adamcore.conformance.anatomy.experiments import EXPERIMENTS, T
from adamcore.conformance.anatomy.readings import readings_of_claim
from adamcore.conformance.report.figures import figures, figures_of


def test_a_right_adam_has_its_weights_as_claimed() -> None:
    drawn = {figure.title: figure for figure in figures_of(anatomy(Parts))}
    assert list(drawn) == ["First moment", "Second moment", "Correction", "Epsilon"]
    assert all(figure.as_claimed for figure in drawn.values())
    last = drawn["First moment"].curves[-1]
    ages = np.arange(T)[::-1]
    np.testing.assert_allclose(last.measured, 0.2 * 0.8**ages / (1 - 0.8**T), rtol=1e-9)
    last = drawn["Second moment"].curves[-1]
    np.testing.assert_allclose(last.measured, 0.04 * 0.96**ages / (1 - 0.96**T), rtol=1e-9)


def test_a_fault_of_epsilon_shows_in_its_figure_alone() -> None:
    assert [f.title for f in figures_of(eps_inside()) if not f.as_claimed] == ["Epsilon"]


def test_a_correction_that_is_not_made_shows_in_the_sums() -> None:
    claimed = readings_of_claim(Adam(), EXPERIMENTS, "float64")
    made = readings_of_claim(Adam(bias_correction="second"), EXPERIMENTS, "float64")
    [sums] = [f for f in figures(made, claimed) if f.title == "Correction"]
    m, v = sums.curves
    np.testing.assert_allclose(m.measured, 1 - 0.8 ** np.arange(1, T + 1), rtol=1e-9)
    assert m.off.any()
    assert not v.off.any()


def test_nothing_measured_is_nothing_drawn() -> None:
    assert figures(nothing_run()) == []
