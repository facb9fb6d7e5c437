"""Keras optimizers run on the backend that Keras uses."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from candidate_probes import G0, G1, P1, probe

from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.types import Step
from adamcore.conformance.workers.pool import EndEvent, ReadyEvent, RunEvent, WorkerJob, run_jobs


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_keras(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(backend)
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    steps = (Step((G0, None)), Step((G0, G1), lr=0.25))
    job = WorkerJob(
        "keras.optimizers:Adam", "float32", [None], [replace(probe(*steps), name="MOM.4/kept")], [(0, 0)]
    )
    ready, done, ended = run_jobs([job], 100, 1)
    assert isinstance(ready, ReadyEvent)
    assert isinstance(done, RunEvent)
    assert ended == EndEvent(job)
    assert set(ready.info.lacks) == {"eps_root", "momentum_decay", "lr_max"}
    assert ready.info.device == f"keras on {backend}"
    assert ready.info.dialect == "keras.Adam"
    assert done.run.error is None
    assert same_bits(done.run.params[0][1], P1.astype("float32"))
    assert not same_bits(done.run.params[1][1], P1.astype("float32"))
    kept = done.run.moments[0][0]
    assert kept is not None
    assert kept.m.dtype == kept.v.dtype == np.float32
    np.testing.assert_allclose(kept.m, (1 - job.probes[0].hyper["b1"]) * G0, rtol=1e-6)
    np.testing.assert_allclose(kept.v, (1 - job.probes[0].hyper["b2"]) * G0 * G0, rtol=1e-5)
