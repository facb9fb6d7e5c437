"""Commands: their exit status, their output, and their end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from fieldguide.errors import StoppedError
from fieldguide.process import end_all, run_command, tail


def test_a_command_has_a_status_and_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = ["sh", "-c", "echo $GREETING; exit 4"]
    assert run_command(words, limit=10, log=log, variables={"GREETING": "hello"}) == 4
    assert tail(log) == "hello"
    assert tail(log, 2) == "lo"[-1:]


def test_a_command_that_takes_too_long_ends_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    began = time.monotonic()
    words = ["sh", "-c", f"sleep 50 & echo $! > {pid}; wait"]
    assert run_command(words, limit=0.5, log=tmp_path / "log") is None
    assert time.monotonic() - began < 20
    stat = Path("/proc", pid.read_text(encoding="utf-8").strip(), "stat")
    deadline = time.monotonic() + 20  # a killed process ends once it is its turn
    while stat.exists() and " Z " not in stat.read_text(encoding="utf-8") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert time.monotonic() < deadline


def test_what_is_ended_with_the_whole_run_has_no_status(tmp_path: Path) -> None:
    timer = threading.Timer(0.5, end_all)
    timer.start()
    with pytest.raises(StoppedError):
        run_command(["sleep", "60"], limit=30, log=tmp_path / "log")
    timer.join()
