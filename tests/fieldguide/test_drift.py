"""Drift: nothing but rounding for a right Adam, far more for another one."""

from __future__ import annotations

from typing import Any

import pytest
from measured_adams import Parts

from adamcore import Adam
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.types import Probe, Run
from fieldguide.drift import drift, drift_probe


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
    [right] = drift(ArrayCandidate(Parts, {}), axes(), [40])
    [wrong] = drift(ArrayCandidate(Uncorrected, {}), axes(), [40])
    assert right["median"] < 40  # about a rounding a step at the most
    assert wrong["median"] > 1000 * right["median"]
    [as_it_is] = drift(ArrayCandidate(Uncorrected, {}), axes(bias_correction="none"), [40])
    assert as_it_is["median"] < 40


def test_a_run_that_fails_says_why() -> None:
    class Fails(Parts):
        def step(self, grads: Any) -> Any:
            raise OSError("no step today")

    with pytest.raises(RuntimeError, match="no step today"):
        drift(ArrayCandidate(Fails, {}), {name: getattr(Adam(), name) for name in ("epsilon",)}, [3])


def test_one_run_is_told_of_at_several_steps_as_runs_of_those_lengths_are() -> None:
    rows = drift(ArrayCandidate(Parts, {}), axes(), [20, 40])
    assert rows == [
        *drift(ArrayCandidate(Parts, {}), axes(), [20]),
        *drift(ArrayCandidate(Parts, {}), axes(), [40]),
    ]


@pytest.mark.parametrize("refusal", [Run(unsupported="it has none"), Run(error="TypeError: it has none")])
def test_without_float32_the_run_is_one_of_float64_beside_the_exact_answer(refusal: Run) -> None:
    class Doubles(ArrayCandidate):
        def run(self, probe: Probe, dtype: str) -> Run:
            return refusal if dtype == "float32" else super().run(probe, dtype)

    [row] = drift(Doubles(Parts, {}), axes(), [40])
    assert row["dtype"] == "float64"
    assert 0.0 < row["median"] < 40
    [wrong] = drift(Doubles(Uncorrected, {}), axes(), [40])
    assert wrong["median"] > 2**29 * row["median"] / 40  # the same slip, in units 2**29 times as small


def test_a_run_that_ends_early_is_told_of_as_far_as_it_went() -> None:
    class Tires(Parts):
        def step(self, grads: Any) -> Any:
            self.made = getattr(self, "made", 0) + 1
            if self.made > 25:
                raise OSError("enough")
            return super().step(grads)

    assert [row["steps"] for row in drift(ArrayCandidate(Tires, {}), axes(), [20, 40])] == [20]
