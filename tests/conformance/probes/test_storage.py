"""The probes of storage show what they say: steps that are lost without a policy, and values anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.dtypes import round_probe, round_to, ulp_of
from adamcore.conformance.oracle.kept import neighbours
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.storage import KEPT

CLAIM = Adam(decay="decoupled", p_storage="split")


def test_short_steps_are_shorter_than_half_a_distance_and_add_up() -> None:
    probe = round_probe(PROBES["STORE.1/short-steps"], "bfloat16")
    model = float_trajectory(adam_for(CLAIM, probe), probe, None)
    assert model is not None
    for i, p in enumerate(probe.params):
        path = np.array([p.ravel(), *(step[i][0] for step in model.steps)])
        distance = ulp_of(path[0], "bfloat16")
        assert (np.abs(np.diff(path, axis=0)) < 0.5 * distance).all()
        assert (np.abs(path[-1] - path[0]) > 3 * distance).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_values_to_be_rounded_lie_anywhere_between_two_numbers(dtype: str) -> None:
    probe = round_probe(PROBES["STORE.6/random"], dtype)
    model = float_trajectory(adam_for(CLAIM, probe), probe, None)
    assert model is not None
    x = np.concatenate([part[0] for part in model.steps[3]])
    low, high = neighbours(x, dtype)
    parts = np.histogram((x - low) / (high - low), bins=4, range=(0, 1))[0] / x.size
    assert parts.min() > 0.1
    assert np.all((round_to(x, dtype) == low) | (round_to(x, dtype) == high))


def test_they_are_for_parameters_that_are_kept() -> None:
    chosen = [p for p in PROBES.values() if p.rule.startswith("STORE")]
    assert [p.applies_to(Adam()) for p in chosen] == [False, False]
    for policy in KEPT:
        claim = Adam(p_storage=policy)  # type: ignore[arg-type]
        assert [p.applies_to(claim) for p in chosen] == [True, policy == "stochastic"]
