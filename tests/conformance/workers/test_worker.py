"""A candidate in a process of its own: whatever it does, the check goes on and says what happened."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from adamcore.conformance.types import Probe, Run, Step
from adamcore.conformance.wire import pack_array, pack_probe, pack_run, unpack_array, unpack_probe, unpack_run
from adamcore.conformance.workers.pool import (
    EndEvent,
    Event,
    ReadyEvent,
    RunEvent,
    WorkerJob,
    run_job,
    run_jobs,
)

P, G = np.array([1.0, -2.0]), np.array([0.5, 0.25])
PROBES = [Probe(f"X.1/{k}", "", (P,), (Step((G,)), Step((G,))), {"lr": 0.5, "b1": 0.5, "b2": 0.5, "eps": 0.1})
          for k in range(3)]  # fmt: skip

CANDIDATE = """
import os, subprocess, sys, time
{top}
class Candidate:
    {attributes}
    def init(self, params, hyper):
        self.p = params
    def step(self, grads):
        {step}
        return self.p
"""


def write(folder: Path, step: str = "pass", *, top: str = "", attributes: str = "") -> str:
    """A candidate that does ``step`` in every step; its target."""
    path = folder / "candidate.py"
    path.write_text(CANDIDATE.format(step=step, top=top, attributes=attributes))
    return f"{path}:Candidate"


def job(target: str, dtype: str = "float32") -> WorkerJob:
    return WorkerJob(target, dtype, [None], PROBES, [(0, k) for k in range(len(PROBES))])


def run(target: str, timeout: float = 60) -> tuple[list[Event], EndEvent]:
    events = list(run_jobs([job(target)], timeout, 1))
    last = events[-1]
    assert isinstance(last, EndEvent)
    return events[:-1], last


def test_arrays_survive_the_wire() -> None:
    nan = np.array([0x7FF8000000000123], dtype="uint64").view("float64")
    for array in (
        nan,
        np.asarray([1, -0.0, np.inf], np.float32),
        np.array(1 + 2j),
        np.zeros((0, 3)),
        np.array([True, False]),
    ):
        back = unpack_array(pack_array(array))
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()
        assert back.flags.writeable


def test_probes_and_runs_survive_the_wire() -> None:
    steps = (Step((G, None), lr=0.25), Step((G, G), present=(True, np.array([True, False]))))
    probe = unpack_probe(pack_probe(Probe("X.1/x", "", (P, P), steps, {"lr": 1.0})))
    assert probe.steps[0].grads[1] is None
    assert probe.steps[0].lr == 0.25
    assert probe.steps[1].present is not None
    np.testing.assert_array_equal(probe.steps[1].present[1], [True, False])
    run_ = unpack_run(pack_run(Run([[P]], error="Error: x", written=["gradient 0 in step 1"])))
    assert (run_.error, run_.unsupported, run_.written) == ("Error: x", None, ["gradient 0 in step 1"])
    np.testing.assert_array_equal(run_.params[0][0], P)


def test_one_line_a_probe_as_it_is_finished(tmp_path: Path) -> None:
    events, last = run(
        write(tmp_path, "self.p = [p - g for p, g in zip(self.p, grads)]", attributes="dialect = 'x'")
    )
    assert last.problem is None
    assert isinstance(events[0], ReadyEvent)
    assert events[0].info.dialect == "x"
    assert [e.task for e in events[1:] if isinstance(e, RunEvent)] == [0, 1, 2]
    assert isinstance(events[1], RunEvent)
    np.testing.assert_array_equal(events[1].run.params[1][0], np.asarray([0.0, -2.5], np.float32))


def test_flood_of_output_harms_nothing(tmp_path: Path) -> None:
    noise = (
        "print('x' * 10**6); os.write(1, b'{\"end\": true}\\n' * 1000); print('y' * 10**6, file=sys.stderr)"
    )
    events, last = run(write(tmp_path, noise))
    assert last.problem is None
    assert len(events) == 4


def test_standard_input_is_empty(tmp_path: Path) -> None:
    events, last = run(write(tmp_path, "assert sys.stdin.read() == ''"))
    assert last.problem is None
    assert isinstance(events[1], RunEvent)
    assert events[1].run.error is None


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("os._exit(3)", "exited with status 3 at probe X.1/0"),
        ("os._exit(0)", "exited with status 0 at probe X.1/0"),
        ("sys.exit('enough')", "exited with status 1 at probe X.1/0; it last wrote:\nenough"),
        ("os.kill(os.getpid(), 11)", "killed by SIGSEGV at probe X.1/0"),
        ("print('last', file=sys.stderr, flush=True); os._exit(1)", "it last wrote:\nlast"),
    ],
)
def test_crash_is_broken_with_its_last_words(tmp_path: Path, step: str, reason: str) -> None:
    events, last = run(write(tmp_path, step))
    assert last.problem == "broken"
    assert reason in last.reason
    assert len(events) == 1


@pytest.mark.parametrize(
    ("arguments", "seconds", "where"),
    [
        ({"step": "time.sleep(60)"}, 5, "for probe X.1/0"),
        ({"top": "time.sleep(60)"}, 2, "to start"),
        ({"step": "while True: print('z' * 10**5)"}, 5, "for probe X.1/0"),
    ],
)
def test_hang_is_killed_in_time(
    tmp_path: Path, arguments: dict[str, str], seconds: float, where: str
) -> None:
    start = time.monotonic()
    _, last = run(write(tmp_path, **arguments), timeout=seconds)
    assert last.problem == "broken"
    assert f"gave no answer for {seconds} s, waiting {where}: killed" in last.reason
    assert time.monotonic() - start < 30


def test_what_it_started_is_killed_with_it(tmp_path: Path) -> None:
    note = tmp_path / "child"
    start = "child = subprocess.Popen(['sleep', '300'])"
    run(write(tmp_path, f"{start}; open({str(note)!r}, 'w').write(str(child.pid)); os._exit(1)"))
    child = int(note.read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and alive(child):
        time.sleep(0.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize(
    ("top", "problem", "reason"),
    [
        ("import no_such_module", "broken", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "broken", "ZeroDivisionError: division by zero"),
        ("def f(:", "broken", "SyntaxError"),
    ],
)
def test_import_error_is_broken(tmp_path: Path, top: str, problem: str, reason: str) -> None:
    _, last = run(write(tmp_path, top=top))
    assert last.problem == problem
    assert reason in last.reason


def test_candidate_that_takes_no_probe_is_broken(tmp_path: Path) -> None:
    attributes = "def __init__(self): raise ValueError('never')"
    events, last = run(write(tmp_path, attributes=attributes))
    assert last == EndEvent(last.job, "broken", "it could not be constructed for any probe: "
                         "its constructor raised ValueError: never")  # fmt: skip
    assert [e.run.unsupported for e in events if isinstance(e, RunEvent)] == [
        "its constructor raised ValueError: never"
    ] * 3


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
