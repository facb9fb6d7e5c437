"""A step waits for the tasks of the one before it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

pytest.importorskip("fcntl")

from adamcore.backends.files.locks import as_task, locked, without_tasks


def test_one_steps_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_step_begins_when_no_task_writes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), as_task(tmp_path):
        pass
    with without_tasks(tmp_path):
        pass
    begun = threading.Event()

    def begin() -> None:
        with without_tasks(tmp_path):
            begun.set()

    step = threading.Thread(target=begin)
    with as_task(tmp_path), as_task(tmp_path):
        step.start()
        assert not begun.wait(0.1)
    step.join(10)
    assert begun.is_set()
