"""Commands: their exit status, their output, and their end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fieldguide.entry import ROOT
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
    assert has_ended(pid)


def has_ended(pid: Path) -> bool:
    """Wait until the process whose number a file has is no more; False if it stays."""
    stat = Path("/proc", pid.read_text(encoding="utf-8").strip(), "stat")
    deadline = time.monotonic() + 20  # a killed process ends once it is its turn
    while time.monotonic() < deadline:
        try:
            if " Z " in stat.read_text(encoding="utf-8"):
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


RUNNER = """
import sys
from pathlib import Path
from fieldguide.process import run_command
here = Path(sys.argv[1])
run_command(["sh", "-c", f"sleep 50 & echo $! > {here}/new; mv {here}/new {here}/pid; wait"],
            limit=60, log=here / "log")
"""


def test_a_runner_that_is_killed_takes_its_commands_with_it(tmp_path: Path) -> None:
    """Nothing in the runner can end them: else they would measure on, beside the run that goes on."""
    words = [sys.executable, "-c", RUNNER, str(tmp_path)]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}) as runner:
        deadline = time.monotonic() + 20
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        runner.kill()
    assert has_ended(tmp_path / "pid")


def test_what_is_ended_with_the_whole_run_has_no_status(tmp_path: Path) -> None:
    timer = threading.Timer(0.5, end_all)
    timer.start()
    with pytest.raises(StoppedError):
        run_command(["sleep", "60"], limit=30, log=tmp_path / "log")
    timer.join()
