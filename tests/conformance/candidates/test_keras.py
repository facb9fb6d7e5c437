"""Keras optimizers run on the backend that Keras uses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from candidate_probes import G0, G1, P1, probe

from adamcore.conformance.candidates.base import same_bits
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
    job = WorkerJob("keras.optimizers:Adam", "float32", [None], [probe(*steps)], [(0, 0)])
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
