"""The pool: several workers at the same time, and none is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from worker_runs import job, write

from adamcore.conformance.workers.pool import (
    EndEvent,
    ReadyEvent,
    RunEvent,
    run_job,
    run_jobs,
)


def test_several_at_once_and_one_broken(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    good, bad = write(tmp_path), write(tmp_path / "a", "os._exit(1)")
    jobs = [job(good), job(bad), job(good, "float64")]
    ends = [e for e in run_jobs(jobs, 60, 2) if isinstance(e, EndEvent)]
    assert {e.job: e.problem for e in ends} == {jobs[0]: None, jobs[1]: "broken", jobs[2]: None}


def test_jax_has_float64_in_the_float64_process_alone(tmp_path: Path) -> None:
    code = "import jax.numpy as jnp; raise OSError(str(jnp.ones(1, dtype=float).dtype))"
    for dtype in ("float32", "float64"):
        pytest.importorskip("jax")
        events = list(run_jobs([job(write(tmp_path, code), dtype)], 100, 1))
        assert isinstance(events[1], RunEvent)
        assert events[1].run.error == f"OSError: {dtype}"


def test_leaving_early_ends_the_workers(tmp_path: Path) -> None:
    events = run_jobs([job(write(tmp_path, "time.sleep(60)"))], 100, 1)
    assert isinstance(next(events), ReadyEvent)
    start = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 10


def test_run_job_is_the_same_without_a_pool(tmp_path: Path) -> None:
    import threading

    events = list(run_job(job(write(tmp_path)), 60, threading.Event()))
    assert len(events) == 5
