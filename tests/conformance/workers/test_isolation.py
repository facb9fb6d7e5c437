"""Whatever a candidate does, its verdict is `broken` with the reason, and the others go on."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from worker_runs import FEW, write

from adamcore.conformance import check

HOG = "x = []\n        while True: x.append(np.ones(2**20)); time.sleep(0.002)"


def test_each_kind_of_end_is_broken_and_the_others_go_on(tmp_path: Path) -> None:
    ends = {
        "crash": ("os.kill(os.getpid(), 11)", "", "killed by SIGSEGV at probe STEP.1/fingerprint"),
        "exit": (
            "print('goodbye', file=sys.stderr, flush=True); os._exit(7)",
            "",
            "exited with status 7 at probe STEP.1/fingerprint; it last wrote:\ngoodbye",
        ),
        "hang": ("time.sleep(60)", "", "gave no answer for 9 s, waiting for probe STEP.1"),
        "flood": ("while True: print('z' * 10**5)", "", "gave no answer for 9 s"),
        "import": (
            "pass",
            "print('loading', file=sys.stderr); import nothing_like_it",
            "ModuleNotFoundError: No module named 'nothing_like_it'; it last wrote:\nloading",
        ),
        "memory": (HOG, "", "MB of memory, more than 300: killed at probe STEP.1/fingerprint"),
    }
    if not Path("/proc/self/status").exists():
        del ends["memory"]
    targets = {name: write(tmp_path, step, top=top, name=name) for name, (step, top, _) in ends.items()}
    start = time.monotonic()
    report = check(
        *targets.values(),
        "numpy",
        probes=FEW,
        dtypes=["float64"],
        dialect="paper",
        timeout=9,
        memory=300,
        parallel=4,
    )
    entries = {entry.target: entry for entry in report.entries}
    for name, (_, _, reason) in ends.items():
        assert entries[targets[name]].verdict == "broken"
        assert reason in entries[targets[name]].reason, name
    assert entries["numpy"].verdict == "conforms"
    assert report.exit_code == 3
    assert time.monotonic() - start < 35


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
    [entry] = check(
        write(tmp_path, "everywhere()", top=top), probes=FEW, dtypes=["float32"], timeout=30
    ).entries
    assert entry.verdict == "broken"
    assert "wrote into the channel of the check" in entry.reason


def test_no_thread_and_no_process_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    check(write(tmp_path), probes=FEW, dtypes=["float32"])
    assert threading.active_count() == before
