"""The pool: several workers at the same time, and none is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from worker_runs import PROBES, job, write

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


def processes(target: str, parallel: int = 2) -> dict[str, set[str]]:
    """Run a candidate that raises with the number of its process, in both dtypes; return the numbers."""
    found: dict[str, set[str]] = {"float32": set(), "float64": set()}
    jobs = [job(target, dtype, shares=True) for dtype in found]
    for event in run_jobs(jobs, 100, parallel):
        if isinstance(event, RunEvent):
            found[event.job.dtype].add(str(event.run.error))
        else:
            assert not isinstance(event, EndEvent) or event.problem is None, event
    return found


def test_jobs_that_share_a_worker_run_in_one_process(tmp_path: Path) -> None:
    numbers = processes(write(tmp_path, "raise OSError(str(os.getpid()))"))
    assert numbers["float32"] == numbers["float64"]
    assert len(numbers["float32"]) == 1


@pytest.mark.parametrize(("where", "parallel"), [("at the start", 1), ("at the start", 2), ("in a step", 2)])
def test_a_candidate_that_loads_jax_has_a_process_for_each_dtype(
    tmp_path: Path, where: str, parallel: int
) -> None:
    (tmp_path / "jax.py").write_text("")  # what is loaded counts, by its name
    code = "raise OSError(str(os.getpid()))"
    early = where == "at the start"
    target = write(tmp_path, code if early else f"import jax; {code}", top="import jax" if early else "")
    numbers = processes(target, parallel)
    assert numbers["float32"] != numbers["float64"]


def test_a_job_after_one_that_broke_the_worker_runs_in_another(tmp_path: Path) -> None:
    target = write(tmp_path, "self.p[0].dtype == 'float32' and os._exit(1)")
    jobs = [job(target, dtype, shares=True) for dtype in ("float32", "float64")]
    start = time.monotonic()
    ends = {e.job.dtype: e.problem for e in run_jobs(jobs, 100, 1) if isinstance(e, EndEvent)}
    assert ends == {"float32": "broken", "float64": None}
    assert time.monotonic() - start < 50  # nothing waits for a process that is gone


def test_meanwhile_runs_before_the_first_event_and_its_error_ends_the_workers(tmp_path: Path) -> None:
    done: list[str] = []
    events = run_jobs([job(write(tmp_path))], 60, 1, meanwhile=lambda: done.append("prepared"))
    assert isinstance(next(events), ReadyEvent)
    assert done == ["prepared"]
    assert len(list(events)) == 4

    def fail() -> None:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        list(run_jobs([job(write(tmp_path))], 60, 1, meanwhile=fail))


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


def test_a_program_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The three probes of a job have the same shapes and hyperparameters."""
    pytest.importorskip("optax")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    runs = [e.run for e in run_jobs([job("optax:adam")], 60, 1) if isinstance(e, RunEvent)]
    assert [run.error for run in runs] == [None] * len(PROBES)
    assert [run.compilations for run in runs] == [[1, 0]] * len(PROBES)
    # of a parameter, and of the clock's correction
    assert len(list(tmp_path.glob("jit_program-*-cache"))) == 2
