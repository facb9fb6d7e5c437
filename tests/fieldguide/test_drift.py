"""Drift: nothing but rounding for a right Adam, far more for another one."""

from __future__ import annotations

from typing import Any

import pytest
from measured_adams import Parts

from adamcore import Adam
from adamcore.conformance.candidates.array import ArrayCandidate
from fieldguide.drift import drift_probe, errors


class Uncorrected(Parts):
    def correction(self, t: int) -> tuple[float, float]:
        return 1.0, 1.0


def axes(**changes: Any) -> dict[str, Any]:
    return {"decay": "decoupled"} | changes


def test_every_length_begins_with_the_same_steps() -> None:
    short, long = drift_probe(2), drift_probe(3)
    assert (short.params[0] == long.params[0]).all()
    assert (short.steps[1].grads[0] == long.steps[1].grads[0]).all()  # type: ignore[union-attr]


def test_a_right_adam_drifts_by_roundings_and_a_wrong_one_far() -> None:
    right = errors(ArrayCandidate(Parts, {}), axes(), 40)
    wrong = errors(ArrayCandidate(Uncorrected, {}), axes(), 40)
    assert right["median"] < 40  # about a rounding a step at the most
    assert wrong["median"] > 1000 * right["median"]
    as_it_is = errors(ArrayCandidate(Uncorrected, {}), axes(bias_correction="none"), 40)
    assert as_it_is["median"] < 40


def test_a_run_that_fails_says_why() -> None:
    class Fails(Parts):
        def step(self, grads: Any) -> Any:
            raise OSError("no step today")

    with pytest.raises(RuntimeError, match="no step today"):
        errors(ArrayCandidate(Fails, {}), {name: getattr(Adam(), name) for name in ("epsilon",)}, 3)
