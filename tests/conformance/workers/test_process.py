"""A worker as a process: its last words, its time limit, and what it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worker_runs import run, write


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
        pytest.param(
            {"step": "while True: print('z' * 10**5)"}, 5, "for probe X.1/0", marks=pytest.mark.slow
        ),
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
    assert ends(int(note.read_text()))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_what_it_detached_is_killed_with_it(tmp_path: Path) -> None:
    """A process in a session of its own, whose parent has ended, as a server that a candidate leaves."""
    note = tmp_path / "child"
    start = "child = subprocess.Popen(['sleep', '300'], start_new_session=True, stdout=subprocess.DEVNULL)"
    run(write(tmp_path, f"{start}; open({str(note)!r}, 'w').write(str(child.pid)); os._exit(1)"))
    assert ends(int(note.read_text()))


def ends(pid: int) -> bool:
    """True if the process is gone within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and alive(pid):
        time.sleep(0.05)
    return not alive(pid)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_a_worker_ends_with_a_check_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    step = f"open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    command = [sys.executable, "-m", "adamcore.conformance", "check", write(tmp_path, step), "--quick"]
    check = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (note.exists() and note.read_text()):
        time.sleep(0.05)
    check.kill()
    check.wait()
    assert ends(int(note.read_text()))
