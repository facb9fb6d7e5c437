"""Changes of the probe: what a candidate with a fault of the input sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adamcore.conformance.faults import _inputs
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Probe, Step

A, B = np.array([3.0, 4.0]), np.array([0.5])


def grads(change: object, *given: tuple[FloatArray | None, ...]) -> list[list[object]]:
    steps = tuple(Step(step) for step in given)
    probe = replace(PROBES["DEC.1/coupling"], params=(A, B), steps=steps)
    assert callable(change)
    return [[None if g is None else g.tolist() for g in step.grads] for step in change(steps, probe)]


def test_absent_gradients() -> None:
    given = ((A, B), (None, B), (A, None))
    a, b = A.tolist(), B.tolist()
    assert grads(_inputs.all_or_none, *given) == [[a, b], [None, None], [None, None]]
    assert grads(_inputs.up_to_the_first_absent, *given) == [[a, b], [None, None], [a, None]]
    assert grads(_inputs.those_of_the_first_step, (None, B), (A, B)) == [[None, b], [None, b]]
    assert grads(_inputs.stale, *given) == [[a, b], [a, b], [a, b]]


def test_what_is_not_finite() -> None:
    bad = np.array([np.nan, 1.0])
    np.testing.assert_array_equal(_inputs.without_nan(np.array([np.inf, 1.0])), [0.0, 1.0])
    assert np.isnan(_inputs.nan_to_tensor(bad)).all()
    assert grads(_inputs.step_skipped_on_nan, (bad, B)) == [[None, None]]
    assert grads(_inputs.tensor_skipped_on_nan, (bad, B)) == [[None, B.tolist()]]


def test_rounded_hyperparameters_but_no_beta_of_1() -> None:
    probe: Probe = PROBES["LR.1/odd-values"].with_hyper(b1=0.7, b2=0.9999)
    seen = _inputs.narrowed(("lr", "b1", "b2"), "bfloat16", probe)
    assert seen.hyper["b1"] == 0.69921875
    assert seen.hyper["b2"] == 0.9999
    assert seen.hyper["eps"] == probe.hyper["eps"]
    assert [step.lr for step in seen.steps if step.lr] == [0.10009765625, 0.69921875]
