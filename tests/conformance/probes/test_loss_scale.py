"""Probes of loss scales and skipped steps: what they hand over, and what they ask."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.probes.loss_scale import PROBES
from adamcore.conformance.types import Probe
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.wire import pack_probe, unpack_probe


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_scales_are_powers_of_two_and_gradients_fit_into_float32(probe: Probe) -> None:
    assert probe.is_scaled
    for step in probe.steps:
        assert step.scale is None or math.frexp(step.scale)[0] == 0.5
        for g in step.grads:
            assert g is not None
            assert np.array_equal(g.astype(np.float32).astype(float), g, equal_nan=True)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_scales_and_flags_reach_the_worker(probe: Probe) -> None:
    there = unpack_probe(pack_probe(probe))
    assert [(s.scale, s.found_inf) for s in there.steps] == [(s.scale, s.found_inf) for s in probe.steps]


def test_a_step_that_is_skipped_leaves_every_bit() -> None:
    [probe] = [p for p in PROBES if p.name == "SCALE.2/elsewhere"]
    want = exact(Adam(), probe)
    for before, after in ((0, 1), (2, 3)):
        for p, q in zip(want.steps[before], want.steps[after], strict=True):
            assert np.array_equal(p[0].high, q[0].high)


def test_a_bit_that_changes_in_a_skipped_step_fails() -> None:
    from adamcore.conformance.types import Run

    [probe] = [p for p in PROBES if p.name == "SCALE.2/skipped"]
    want = exact(Adam(), probe)
    params = [
        [p[0].high.astype(np.float32).reshape(q.shape) for p, q in zip(step, probe.params, strict=True)]
        for step in want.steps
    ]
    assert judge(Adam(), probe, "float32", Run(params=params)).status == "passed"
    params[2][0] = np.nextafter(params[2][0], np.float32(9))
    result = judge(Adam(), probe, "float32", Run(params=params))
    assert result.status == "failed"
    assert result.reason == "parameter 0[0] leaves the bound in step 3"
