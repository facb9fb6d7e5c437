"""Probes of loss scales and skipped steps: what they hand over, and what they ask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.probes.loss_scale import PROBES
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.wire import pack_probe, unpack_probe


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_scales_are_powers_of_two_and_gradients_fit_into_float32(probe: Probe) -> None:
    assert probe.is_scaled
    for step in probe.steps:
        assert step.scale is None or (math.frexp(step.scale)[0] == 0.5) == (probe.name != "SCALE.1/odd")
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


@pytest.mark.parametrize(
    ("factor", "status"),
    [
        (lambda scale: np.float32(1) / np.float32(scale), "passed"),
        (lambda scale: np.float32(np.float16(1 / scale)), "failed"),
        (lambda scale: np.float32(2.0 ** -math.floor(math.log2(scale))), "failed"),
    ],
    ids=["in float32", "in float16", "of the exponent alone"],
)
@pytest.mark.parametrize("divides", [False, True])
def test_a_scale_that_is_no_power_of_two(
    factor: Callable[[float], np.float32], status: str, divides: bool
) -> None:
    """Gradients may be divided by it, or multiplied by its reciprocal."""
    [probe] = [p for p in PROBES if p.name == "SCALE.1/odd"]
    hyper: dict[str, Any] = dict(probe.hyper)
    adam = Adam(**hyper)
    params: list[np.ndarray] = [p.astype(np.float32) for p in probe.params]
    state, run = adam.init(params), Run()
    for step in probe.steps:
        assert step.scale is not None
        part = factor(step.scale)
        grads = [g.astype(np.float32) for g in step.grads if g is not None]
        grads = [g / (1 / part) if divides else g * part for g in grads]
        params, state = adam.step(params, grads, state)
        run.params.append([np.array(p) for p in params])
    assert judge(Adam(), probe, "float32", run).status == status
