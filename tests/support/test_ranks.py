"""A rank that fails alone ends a run soon, with its error, and not after the others' patience."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import ranks

pytestmark = pytest.mark.slow

CASES = """
import torch
import torch.distributed as dist

def case_all_fail(folder):
    raise ValueError("on every rank")

def case_one_fails(folder):
    if dist.get_rank() == 1:
        raise ValueError("on one rank")

def case_one_fails_while_another_waits(folder):
    if dist.get_rank() == 1:
        raise ValueError("while another waits")
    dist.all_reduce(torch.ones(3))
"""


def ended(cases: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Return how a run of cases on two processes ended."""
    (tmp_path / "failing.py").write_text(cases, encoding="utf-8")
    path = os.pathsep.join([str(ranks.HERE), str(ranks.ROOT), str(tmp_path)])
    command = [sys.executable, "-c", "import ranks; ranks.GRACE = 1.0; ranks.main([(2, ['failing'])])"]
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_a_rank_that_fails_where_others_do_not_wait_ends_its_case(tmp_path: Path) -> None:
    done = ended(CASES[: CASES.rindex("def case")], tmp_path)
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    assert ends["2 failing.case_all_fail"].count("ValueError: on every rank") == 2
    assert ends["2 failing.case_one_fails"].count("ValueError: on one rank") == 1


def test_a_rank_that_fails_while_another_waits_ends_the_run(tmp_path: Path) -> None:
    done = ended(CASES, tmp_path)
    assert done.returncode == 1
    assert "2 processes ended with [1, 1]" in done.stderr
    assert done.stderr[-4000:].count("ValueError: while another waits") == 1
