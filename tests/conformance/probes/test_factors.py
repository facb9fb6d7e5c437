"""Probes without one of their factors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.factors import FACTORS, Factor, of_one_size, parts, same
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Probe, Step

SMALL = [probe for probe in PROBES.values() if not probe.is_large]


def factors(probe: Probe) -> list[str]:
    return [factor.name for factor in FACTORS if factor.is_in(probe)]


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_what_is_taken_away_is_gone_and_nothing_comes_in(factor: Factor) -> None:
    for probe in (probe for probe in SMALL if factor.is_in(probe)):
        before, after = factors(probe), factors(factor.without(probe))
        assert factor.name not in after
        assert set(after) <= set(before)


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_each_is_in_some_probe_and_has_a_rule(factor: Factor) -> None:
    assert any(factor.is_in(probe) for probe in SMALL)
    assert factor.rule in SAYS


def test_ordinary_probes_have_none_but_decay() -> None:
    assert factors(PROBES["STEP.1/fingerprint"]) == ["weight decay"]
    assert factors(PROBES["EPS.1/none"]) == []


def arrays(probe: Probe) -> Iterator[np.ndarray]:
    yield from probe.params
    for step in probe.steps:
        yield from (g for g in step.grads if g is not None)


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_numbers_are_still_those_of_float32(factor: Factor) -> None:
    for probe in (probe for probe in SMALL if factor.is_in(probe)):
        before = [np.array_equal(a, a.astype(np.complex64), equal_nan=True) for a in arrays(probe)]
        after = [
            np.array_equal(a, a.astype(np.complex64), equal_nan=True) for a in arrays(factor.without(probe))
        ]
        assert all(after) or not all(before)


def test_a_step_that_is_not_skipped_has_finite_gradients() -> None:
    [skipped] = [factor for factor in FACTORS if factor.rule == "SCALE.2"]
    probe = skipped.without(PROBES["SCALE.2/backoff"])
    assert all(np.all(np.isfinite(a)) for a in arrays(probe))
    assert not any(step.found_inf for step in probe.steps)


def test_parts_of_probes_are_compared_by_their_numbers() -> None:
    probe = PROBES["CLK.1/meetings"]
    again = parts(probe)
    assert same(again, parts(probe))
    other = [np.array(p) for p in probe.params]
    other[0].flat[0] += 1.0
    assert not same((tuple(other), *again[1:]), again)
    assert not same(probe.start, probe.start[:1])


def test_large_gradients_are_made_smaller_and_what_is_not_finite_stays() -> None:
    step = Step((np.array([8.0, np.inf, -2.0]), np.array([np.nan, 0.5]), None, np.zeros(0)))
    made = of_one_size(PROBES["F1/absent-last"], step).grads
    assert made[2] is None
    wanted: list[list[float]] = [[1.125, np.inf, -0.28125], [np.nan, 0.5], []]
    for got, want in zip((made[0], made[1], made[3]), wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(got), np.array(want))
