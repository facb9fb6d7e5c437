"""The memory of a worker: that of its children counts too, and reserved memory does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from worker_runs import FEW, write

from adamcore.conformance import check
from adamcore.conformance.workers.memory import MB, memory_of_tree

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells of memory")


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
