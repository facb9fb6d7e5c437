"""Processes for workers that are started ahead: who takes them, and how the others end."""

from __future__ import annotations

from pathlib import Path

import pytest
from worker_runs import PROBES, job, write

from adamcore.conformance.workers import launch as module
from adamcore.conformance.workers.environment import worker_environment
from adamcore.conformance.workers.launch import Launched, launch, launched_ahead
from adamcore.conformance.workers.pool import EndEvent, RunEvent, run_jobs


def waiting() -> list[Launched]:
    return list(module._waiting)


def test_a_worker_takes_the_process_of_its_environment(tmp_path: Path) -> None:
    target = write(tmp_path, "raise OSError(str(os.getpid()))")
    with launched_ahead(["float32", "float64"]):
        ahead = {launched.environment["JAX_ENABLE_X64"]: launched.process.pid for launched in waiting()}
        events = list(run_jobs([job(target, "float64")], 60, 1))
        assert [launched.process.pid for launched in waiting()] == [ahead["0"]]
    assert {e.run.error for e in events if isinstance(e, RunEvent)} == {f"OSError: {ahead['1']}"}


def test_another_environment_has_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with launched_ahead(["float32"]):
        [ahead] = waiting()
        monkeypatch.setenv("OF_LATER", "1")
        other = launch(worker_environment("float32"))
        other.process.kill()
        other.process.communicate()
        assert other.process.pid != ahead.process.pid
        assert waiting() == [ahead]


def test_processes_that_nobody_took_end() -> None:
    with launched_ahead(["float32"]):
        [ahead] = waiting()
        assert ahead.process.poll() is None
    assert waiting() == []
    assert ahead.process.returncode is not None


def test_a_process_is_taken_once(tmp_path: Path) -> None:
    with launched_ahead(["float32"]):
        jobs = [job(write(tmp_path)), job(write(tmp_path))]
        events = list(run_jobs(jobs, 60, 2))
    assert [event.problem for event in events if isinstance(event, EndEvent)] == [None, None]
    assert sum(isinstance(event, RunEvent) for event in events) == 2 * len(PROBES)
