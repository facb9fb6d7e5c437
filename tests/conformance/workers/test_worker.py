"""Inside a worker: a line for each probe as soon as it is done, whatever the candidate prints or reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from worker_runs import run, write

from adamcore.conformance.workers.pool import (
    EndEvent,
    ReadyEvent,
    RunEvent,
)


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
    assert last == EndEvent(
        last.job,
        "broken",
        "it could not be constructed for any probe: its constructor raised ValueError: never",
    )
    assert [e.run.unsupported for e in events if isinstance(e, RunEvent)] == [
        "its constructor raised ValueError: never"
    ] * 3


@pytest.mark.parametrize("name", ["random", "numpy", "queue", "json", "flint"])
def test_files_beside_the_candidate_take_the_place_of_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither for a file nor for a module in the current folder; other files there can be imported."""
    write(tmp_path, top="import random, queue, json, helper; random.random(), queue.Queue(), np.zeros(1)")
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong file')")
    (tmp_path / "helper.py").touch()
    monkeypatch.chdir(tmp_path)
    for target in ("candidate:Candidate", "candidate.py:Candidate"):
        _, last = run(target)
        assert last.problem is None, last.reason


def test_garbage_is_collected_from_the_second_probe_on(tmp_path: Path) -> None:
    """Until then a library is imported, and to look for garbage takes a fifth of the time."""
    events, last = run(
        write(tmp_path, "self.p = [np.full_like(p, gc.isenabled()) for p in self.p]", top="import gc")
    )
    assert last.problem is None
    enabled = [e.run.params[0][0].max() for e in events if isinstance(e, RunEvent)]
    assert enabled == [0, 1, 1]
