"""The oracle of 16 bits: one number is right in most elements, and every other one is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.dtypes import round_probe, round_to, to_carrier, ulp_of
from adamcore.conformance.oracle.stored import stored
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import moving, numbers
from adamcore.conformance.types import FloatArray, Moments, Probe, Run, Step
from adamcore.conformance.verdict.judge import judge

DTYPES = ("bfloat16", "float16")
HYPER: dict[str, Any] = {"lr": 0.0625, "b1": 0.9, "b2": 0.999, "eps": 1e-3, "weight_decay": 0.03125}
ADAMW = Adam(decay="decoupled")


def long_probe(dtype: str, steps: int = 150) -> Probe:
    return round_probe(Probe("MOM.2/long", "", (numbers(15, 4),), moving(16, steps, (4,)), HYPER), dtype)


def right_run(probe: Probe, dtype: str, wrong: Any = None) -> Run:
    """Return the run of an AdamW that rounds once; ``wrong(t, p, m, v)`` may change what it stores."""
    h, one = probe.hyper, np.float32(1)
    p: FloatArray = probe.params[0].astype(np.float32)
    m, v, run = np.zeros_like(p), np.zeros_like(p), Run()

    def narrow(x: FloatArray) -> FloatArray:
        return round_to(x.astype(np.float64), dtype).astype(np.float32)

    for t, step in enumerate(probe.steps, start=1):
        g = np.asarray(step.grads[0], dtype=np.float32)
        m = m + np.float32(1 - h["b1"]) * (g - m)
        v = v + (np.float32(1 - h["b2"]) * g * g - np.float32(1 - h["b2"]) * v)
        root = np.sqrt(v) * np.float32((1 - h["b2"] ** t) ** -0.5) + np.float32(h["eps"])
        kept, size = np.float32(h["lr"] * h["weight_decay"]), np.float32(h["lr"] / (1 - h["b1"] ** t))
        p = p * (one - kept) - size * (m / root)
        p, m, v = narrow(p), narrow(m), narrow(v)
        if wrong is not None:
            p, m, v = wrong(t, p, m, v)
        run.params.append([to_carrier(p, dtype)])
    return run


@pytest.mark.parametrize("dtype", DTYPES)
def test_150_steps_are_judged_to_one_number(dtype: str) -> None:
    probe = long_probe(dtype)
    result = judge(ADAMW, probe, dtype, right_run(probe, dtype))
    assert (result.status, result.undecided) == ("passed", 0), result
    assert result.worst_ulp < 0.55, "half an ULP, and the arithmetic where p is small"
    trajectory = stored(Adam(decay="decoupled", **HYPER), probe, dtype, right_run(probe, dtype).params)
    off = [x.arithmetic / ulp_of(x.high, dtype) for step in trajectory.steps for p in step for x in p]
    assert np.median(off) < 0.01, "the arithmetic is far finer than the dtype"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [1, 70, 150])
def test_one_ulp_in_one_element_of_one_step_is_seen(dtype: str, step: int) -> None:
    def wrong(t: int, p: FloatArray, m: FloatArray, v: FloatArray) -> Any:
        if t == step:
            p = p.copy()
            p[2] += ulp_of(p[2], dtype)
        return p, m, v

    probe = long_probe(dtype)
    result = judge(ADAMW, probe, dtype, right_run(probe, dtype, wrong))
    assert result.status == "failed"
    assert result.evidence is not None
    assert (result.evidence.step, result.evidence.element) == (step, "0[2]")


@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_that_are_stored_otherwise_are_seen(dtype: str) -> None:
    """In float32 instead of 16 bits; and rounded to zero instead of to the nearest."""
    probe = long_probe(dtype)
    assert (
        judge(replace(ADAMW, moment_dtype="float32"), probe, dtype, right_run(probe, dtype)).status
        == "failed"
    )

    def cut(t: int, p: FloatArray, m: FloatArray, v: FloatArray) -> Any:
        return p, m, np.where(v > 0, v - ulp_of(v, dtype).astype(np.float32), v)

    assert judge(ADAMW, probe, dtype, right_run(probe, dtype, cut)).status == "failed"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["STEP.1/fingerprint", "BC.1/first-steps", "EPS.2/comparable", "DEC.5/order"]
)
def test_another_adam_is_refused(dtype: str, name: str) -> None:
    """What tells two Adams apart in float32 does so in 16 bits, where one number is right."""
    probe = round_probe(PROBES[name], dtype)
    run = right_run(probe, dtype)
    other = Adam(decay="decoupled", bias_correction="none")
    assert judge(other, probe, dtype, run).status == "failed"


def test_more_digits_than_the_dtype_has_are_told() -> None:
    probe = long_probe("bfloat16", 3)
    run = right_run(probe, "bfloat16")
    run.params = [[p[0].astype(np.float32) + np.float32(2.0**-18)] for p in run.params]
    result = judge(ADAMW, probe, "bfloat16", run)
    assert result.status == "failed"
    assert result.reason == "parameter 0 after step 1: came back in more digits than bfloat16 has"


def test_what_overflows_on_storage_is_free() -> None:
    """NF.3: v is beyond the range of float16, so that the element may be anything; the other may not."""
    step = Step((np.array([30000.0, 1.0]),))
    probe = Probe("NUM.3/x", "", (np.ones(2),), (step, step), HYPER)
    with np.errstate(all="ignore"):
        run = right_run(probe, "float16")
    assert judge(ADAMW, probe, "float16", run).status == "passed"
    run.params[1][0] = np.array([7.0, run.params[1][0][1]], dtype=np.float16)
    assert judge(ADAMW, probe, "float16", run).status == "passed"
    run.params[1][0] = np.array([7.0, 5.0], dtype=np.float16)
    assert judge(ADAMW, probe, "float16", run).status == "failed"


def test_a_step_begins_at_moments_that_the_candidate_has_stored() -> None:
    """Each moment is then known to a rounding of float32, wherever the candidate's moments are."""
    probe = long_probe("bfloat16", 3)
    run = right_run(probe, "bfloat16")
    kept = [[Moments(np.full(4, 0.5 * s), np.full(4, 2.0 * s))] for s in (1, 2, 3)]
    claim = Adam(decay="decoupled", m_storage="stochastic", v_storage="stochastic", **HYPER)
    after = stored(claim, probe, "bfloat16", run.params, moments=kept)
    for s, step in enumerate(probe.steps):
        g, found = step.grads[0], after.steps[s][0][0].moments
        assert g is not None
        assert found is not None
        for name, x, b, old in (("m", g, 0.9, 0.5 * s), ("v", g * g, 0.999, 2.0 * s)):
            want = b * old + (1 - b) * x
            ends = found[name]
            np.testing.assert_allclose(ends.exact, want, rtol=1e-12)
            assert (ends.low < want).all()
            assert (want < ends.high).all()
            assert (ends.high - ends.low <= 2.0**-20 * (abs(b * old) + abs(x))).all()
    assert stored(claim, probe, "bfloat16", run.params).steps[0][0][0].moments is None
