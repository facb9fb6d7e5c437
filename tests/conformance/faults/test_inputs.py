"""Changes of the probe: what a candidate with a fault of the input sees."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from adamcore.conformance.faults import _inputs
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Probe, Step

A, B = np.array([3.0, 4.0]), np.array([0.5])


def rates(change: str, *lr: float | None) -> list[float | None]:
    """The learning rates of the steps as the candidate sees them; the first is 0.5."""
    probe = replace(PROBES["DEC.1/coupling"].with_hyper(lr=0.5), steps=tuple(Step((A,), lr=x) for x in lr))
    return [step.lr for step in getattr(_inputs, change)(probe.steps, probe)]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("lr_kept", [None, None, None, None]),
        ("lr_late", [None, None, 0.25, None]),
        ("lr_once", [None, 0.25, None, None]),
        ("lr_multiplied", [None, 0.125, None, 0.0]),
        ("lr_zero_none", [None, 0.25, None, None]),
    ],
)
def test_schedules(change: str, seen: list[float | None]) -> None:
    assert rates(change, None, 0.25, None, 0.0) == seen


def test_a_step_with_lr_0_that_is_skipped_has_no_gradients() -> None:
    probe = replace(PROBES["DEC.1/coupling"], steps=(Step((A,)), Step((A,), lr=0.0), Step((A,), lr=0.5)))
    assert [step.grads[0] is None for step in _inputs.lr_zero_skips(probe.steps, probe)] == [
        False,
        True,
        False,
    ]


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


def test_clipping_by_norm_and_by_value() -> None:
    np.testing.assert_allclose(_inputs.by_norm(1.0, A), [0.6, 0.8])
    assert _inputs.by_norm(10.0, A) is A
    np.testing.assert_array_equal(_inputs.by_value(3.5, A), [3.0, 3.5])
    z = np.array([3.0 + 4.0j])
    np.testing.assert_array_equal(_inputs.by_value(3.5, z), [3.0 + 3.5j])
    [[a, b]] = grads(partial(_inputs.by_global_norm, 1.0), (A, B))
    assert np.linalg.norm(np.concatenate([np.asarray(a), np.asarray(b)])) == pytest.approx(1.0)


def test_what_is_not_finite() -> None:
    bad = np.array([np.nan, 1.0])
    np.testing.assert_array_equal(_inputs.without_nan(np.array([np.inf, 1.0])), [0.0, 1.0])
    assert np.isnan(_inputs.nan_to_tensor(bad)).all()
    assert grads(_inputs.step_skipped_on_nan, (bad, B)) == [[None, None]]
    assert grads(_inputs.tensor_skipped_on_nan, (bad, B)) == [[None, B.tolist()]]


def test_rounded_hyperparameters() -> None:
    probe: Probe = PROBES["LR.1/odd-values"].with_hyper(b1=0.7, b2=0.9999)
    seen = _inputs.narrowed(("lr", "b1", "b2"), "bfloat16", probe)
    assert seen.hyper["b1"] == 0.69921875
    assert seen.hyper["b2"] == 1.0  # no Adam has it, so that no model stands for the fault here
    assert seen.hyper["eps"] == probe.hyper["eps"]
    assert [step.lr for step in seen.steps if step.lr] == [0.10009765625, 0.69921875, 7.90625]
