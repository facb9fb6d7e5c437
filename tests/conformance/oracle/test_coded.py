"""Claims of moments in 8 bits: our own steps conform, and others of whatever kind do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.dtypes import round_probe, to_carrier
from adamcore.conformance.oracle.coded import codings_of, possible, round_trip
from adamcore.conformance.probes.design import moving, numbers
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.storage.moments import Coding

HYPER: dict[str, Any] = {"lr": 0.0625, "b1": 0.9, "b2": 0.999, "eps": 1e-3, "weight_decay": 0.03125}
CLAIM = Adam(decay="decoupled", m_storage="companded8", v_storage="companded8")


def probe_of(size: int = 150, steps: int = 12, dtype: str = "float32") -> Probe:
    probe = Probe("STORE.9/blocks", "", (numbers(15, size),), moving(16, steps, (size,)), HYPER)
    return round_probe(probe, dtype)


def run_of(adam: Adam, probe: Probe, dtype: str = "float32", wrong: Any = None) -> Run:
    """Return the run of an Adam in NumPy; ``wrong(state)`` may change what it keeps."""
    hyper: Any = probe.hyper
    opt = replace(adam, **hyper)
    p = np.asarray(probe.params[0]).astype(np.dtype(dtype))
    state, run = opt.init(p), Run()
    for step in probe.steps:
        mask = None if step.present is None else np.asarray(step.present[0])
        p, state = opt.step(p, np.asarray(step.grads[0]).astype(p.dtype), state, present=mask)
        state = state if wrong is None else wrong(state)
        run.params.append([to_carrier(np.asarray(p).astype(float), dtype)])
    return run


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("axes", [{}, {"amsgrad": "uncorrected"}, {"decay": "l2", "nesterov": "dozat"}])
def test_our_own_steps_conform(axes: Any, dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    claim, probe = replace(CLAIM, **axes), probe_of(dtype=dtype)
    result = judge(claim, probe, dtype, run_of(claim, probe, dtype))
    assert (result.status, result.undecided) == ("passed", 0), result.reason
    assert result.worst_ratio > 0.1


def test_large_blocks_conform() -> None:
    claim = replace(CLAIM, m_storage="blockwise8", v_storage="blockwise8")
    probe = probe_of(4200, 4)
    assert judge(claim, probe, "float32", run_of(claim, probe)).status == "passed"


def flat_scale(state: Any) -> Any:
    """The scale of the first block for all."""
    return state._replace(m_scale=np.full_like(state.m_scale, state.m_scale[0]))


def stale_scale(state: Any) -> Any:
    """A scale that is one code late."""
    return state._replace(v_scale=np.roll(state.v_scale, 1))


def zero_v(state: Any) -> Any:
    """Small codes that become 0."""
    return state._replace(v=np.where(state.v < 150, 0, state.v).astype(np.uint8))


@pytest.mark.parametrize("wrong", [flat_scale, stale_scale, zero_v])
def test_wrong_scales_and_codes_are_found(wrong: Callable[[Any], Any]) -> None:
    probe = probe_of()
    assert judge(CLAIM, probe, "float32", run_of(CLAIM, probe, wrong=wrong)).status == "failed"


@pytest.mark.parametrize("other", [
    {"m_storage": "plain", "v_storage": "plain"}, {"v_storage": "plain"}, {"b1": 0.9, "m_storage": "plain"},
])  # fmt: skip
def test_another_storage_is_found(other: Any) -> None:
    probe = probe_of()
    assert judge(CLAIM, probe, "float32", run_of(replace(CLAIM, **other), probe)).status == "failed"


def test_masks_keep_the_blocks_that_take_no_part() -> None:
    probe = probe_of()
    mask = np.arange(150) % 128 < 40
    steps = tuple(replace(s, present=(mask,)) if k % 3 else s for k, s in enumerate(probe.steps))
    probe = replace(probe, steps=steps)
    assert judge(CLAIM, probe, "float32", run_of(CLAIM, probe)).status == "passed"


def test_what_is_not_all_seen_is_skipped() -> None:
    probe = probe_of(dtype="bfloat16")
    claim = replace(CLAIM, p_storage="split")
    assert judge(claim, probe, "bfloat16", run_of(claim, probe, "bfloat16")).status == "skipped"


def test_both_neighbours_of_a_middle_are_possible() -> None:
    coding = Coding("companded8", True)
    scale = round_trip(coding, np.array([127.0**2, 1.0]))[0] / 127**2
    x = np.array([127.0**2 * scale, 50.5**2 * scale])
    low, high = possible(coding, x, np.array([0.0, 1.0]))
    assert np.allclose([low[1], high[1]], [50**2 * scale, 51**2 * scale], rtol=1e-6)
    assert np.allclose(low[0], high[0], rtol=1e-6)


def test_small_arrays_have_no_codes() -> None:
    assert codings_of(Adam(m_storage="blockwise8"), 1, (10,)) == {}
    assert set(codings_of(CLAIM, 1, (10,))) == {1, 2, 3}
