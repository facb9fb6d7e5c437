"""What experiments are made with."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.levers import LEVERS, experiment


def test_an_experiment_has_the_levers_and_what_it_changes() -> None:
    probe = experiment("some", "about it", [np.zeros(2)], [[[1.0, 2.0]], [None]], b1=0.0)
    assert probe.name == "anatomy/some"
    assert probe.hyper == LEVERS | {"b1": 0.0}
    assert [step.grads[0] is None for step in probe.steps] == [False, True]
    assert probe.params[0].dtype == np.float64
