"""Whatever a candidate does, its verdict is `broken` with the reason, and the others go on."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from adamcore.conformance import check
from adamcore.conformance.checking.check import is_quick, select_probes
from adamcore.conformance.cli import main
from adamcore.conformance.errors import UsageError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.settings import QUICK
from adamcore.conformance.workers.memory import MB, memory_of_tree

FEW = ["STEP.1/fingerprint", "EPS.1/beside-small-root"]
CANDIDATE = """
import os, subprocess, sys, time
import numpy as np
{top}
class Candidate:
    dialect = "paper"
    def init(self, params, hyper):
        self.p = params
    def step(self, grads):
        {step}
        return self.p
"""
HOG = "x = []\n        while True: x.append(np.ones(2**20)); time.sleep(0.002)"
LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells of memory")


def write(folder: Path, step: str = "pass", top: str = "", name: str = "candidate") -> str:
    (folder / f"{name}.py").write_text(CANDIDATE.format(step=step, top=top))
    return f"{folder / name}.py:Candidate"


def test_each_kind_of_end_is_broken_and_the_others_go_on(tmp_path: Path) -> None:
    ends = {
        "crash": ("os.kill(os.getpid(), 11)", "", "killed by SIGSEGV at probe STEP.1/fingerprint"),
        "exit": ("print('goodbye', file=sys.stderr, flush=True); os._exit(7)", "",
                 "exited with status 7 at probe STEP.1/fingerprint; it last wrote:\ngoodbye"),
        "hang": ("time.sleep(60)", "", "gave no answer for 9 s, waiting for probe STEP.1"),
        "flood": ("while True: print('z' * 10**5)", "", "gave no answer for 9 s"),
        "import": ("pass", "print('loading', file=sys.stderr); import nothing_like_it",
                   "ModuleNotFoundError: No module named 'nothing_like_it'; it last wrote:\nloading"),
        "memory": (HOG, "", "MB of memory, more than 300: killed at probe STEP.1/fingerprint"),
    }  # fmt: skip
    if not Path("/proc/self/status").exists():
        del ends["memory"]
    targets = {name: write(tmp_path, step, top, name) for name, (step, top, _) in ends.items()}
    start = time.monotonic()
    report = check(
        *targets.values(), "numpy", probes=FEW, dtypes=["float64"], dialect="paper", timeout=9, memory=300,
        parallel=4,
    )  # fmt: skip
    entries = {entry.target: entry for entry in report.entries}
    for name, (_, _, reason) in ends.items():
        assert entries[targets[name]].verdict == "broken"
        assert reason in entries[targets[name]].reason, name
    assert entries["numpy"].verdict == "conforms"
    assert report.exit_code == 3
    assert time.monotonic() - start < 35


@LINUX
def test_memory_of_what_it_started_counts_too(tmp_path: Path) -> None:
    child = "import time; x = bytearray(b'1') * (400 << 20); time.sleep(60)"
    target = write(tmp_path, f"subprocess.run([sys.executable, '-c', {child!r}])")
    [entry] = check(target, probes=FEW, dtypes=["float32"], memory=300, timeout=30).entries
    assert entry.verdict == "broken"
    assert "more than 300: killed" in entry.reason


@LINUX
def test_memory_that_is_only_reserved_does_not_count() -> None:
    import mmap

    before = memory_of_tree(os.getpid())
    with mmap.mmap(-1, 4096 * MB):
        assert memory_of_tree(os.getpid()) - before < 100 * MB
    kept = bytearray(b"1") * (64 * MB)
    assert memory_of_tree(os.getpid()) - before > 50 * MB
    assert len(kept) == 64 * MB
    assert memory_of_tree(2**30) == 0


def test_several_run_side_by_side(tmp_path: Path) -> None:
    """Two that wait for each other come to an end only if both run at once."""
    steps = []
    for me, other in (("a", "b"), ("b", "a")):
        mine, theirs = tmp_path / f"{me}.here", tmp_path / f"{other}.here"
        steps.append(
            f"open({str(mine)!r}, 'w').close()\n"
            f"        while not os.path.exists({str(theirs)!r}): time.sleep(0.01)"
        )
    targets = [write(tmp_path, step, name=name) for step, name in zip(steps, "ab", strict=True)]
    report = check(*targets, probes=FEW, dtypes=["float32"], timeout=30, parallel=2)
    assert [entry.verdict for entry in report.entries] == ["deviates", "deviates"]


def test_line_written_into_the_channel_of_the_check_is_broken(tmp_path: Path) -> None:
    top = """
def everywhere():
    for fd in range(3, 20):
        try:
            os.write(fd, b'{"no"' + bytes([10]))
        except OSError:
            pass
"""
    [entry] = check(write(tmp_path, "everywhere()", top), probes=FEW, dtypes=["float32"], timeout=30).entries
    assert entry.verdict == "broken"
    assert "wrote into the channel of the check" in entry.reason


def test_no_thread_and_no_process_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    check(write(tmp_path), probes=FEW, dtypes=["float32"])
    assert threading.active_count() == before


def test_quick_has_the_short_probes_of_every_part() -> None:
    quick = select_probes((), quick=True)
    assert all(len(p.steps) * len(p.params) <= QUICK for p in quick)
    assert {p.name for p in quick} == {p.name for p in PROBES.values() if is_quick(p)}
    work = [sum(len(p.steps) * len(p.params) for p in some) for some in (quick, PROBES.values())]
    assert work[0] < 0.4 * work[1]
    parts = {p.rule.split(".")[0] for p in PROBES.values()}
    assert parts - {p.rule.split(".")[0] for p in quick} == {"F5"}
    axes = {axis for p in PROBES.values() for axis in p.tells}
    assert {axis for p in quick for axis in p.tells} == axes
    assert not {p.twin for p in quick if p.twin} - {p.name for p in quick}
    with pytest.raises(UsageError, match="--quick leaves none of these probes"):
        select_probes(["MOM.2/long"], quick=True)


def test_quick_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    words = [write(tmp_path), "--quick", "--dtype", "float32", "--probe", "EPS.*", "--json", str(path)]
    assert main(["check", *words]) == 1
    assert "a quick check" in capsys.readouterr().out
    assert '"quick": true' in path.read_text()


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_memory_is_a_number_above_0(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "numpy", "--memory", value])
    assert caught.value.code == 2
    assert "--memory" in capsys.readouterr().err
