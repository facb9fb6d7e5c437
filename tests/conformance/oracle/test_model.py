"""The model in float64 against the exact answer, and where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES

CLAIMS: list[dict[str, Any]] = [
    {}, {"decay": "decoupled", "decay_order": "after"}, {"amsgrad": "corrected"}, {"nesterov": "dozat"},
    {"clock": "global", "complex": "modulus"},
]  # fmt: skip


@pytest.mark.parametrize("axes", CLAIMS)
@pytest.mark.parametrize("name", ["DEC.1/coupling", "F1/absent-middle", "F3/mask", "CPX.1/complex"])
def test_the_model_is_the_exact_answer_but_for_roundings(name: str, axes: dict[str, Any]) -> None:
    claim, probe = Adam(**axes), PROBES[name]
    model, want = float_trajectory(claim, probe, None), exact(claim, probe)
    assert model is not None
    assert model.clocks == want.clocks
    for step, values in zip(model.steps, want.steps, strict=True):
        for parts, exacts in zip(step, values, strict=True):
            for x, value in zip(parts, exacts, strict=True):
                np.testing.assert_allclose(x, value.high, rtol=1e-12, atol=1e-13)


def test_a_clock_of_0_gives_no_numbers_and_raises_nothing() -> None:
    model = float_trajectory(Adam(), PROBES["DEC.1/coupling"], Fault(clock=lambda at: at.t - 1))
    assert model is not None
    assert not np.isfinite(model.steps[0][0][0]).any()


def test_a_fault_without_a_meaning_has_no_model() -> None:
    def meaningless(*_: Any) -> Any:
        raise ValueError

    assert float_trajectory(Adam(), PROBES["DEC.1/coupling"], Fault(update=meaningless)) is None


def test_the_memory_of_a_fault_lasts_from_step_to_step() -> None:
    calls: list[int] = []

    def count(at: Any, c: Any, inputs: Any) -> Any:
        inputs.memory["calls"] = inputs.memory.get("calls", 0) + 1
        calls.append(inputs.memory["calls"])
        return [(p, m) for p, _, m in inputs.parts], inputs.v, inputs.v_max

    float_trajectory(Adam(), PROBES["STEP.1/fingerprint"], Fault(update=count))
    assert calls == [1, 2, 3, 4, 5]
