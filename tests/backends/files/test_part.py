"""A part of a step, made only while its step is."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.files import Run
from adamcore.backends.files import run as module
from adamcore.backends.files.part import Part, make_part
from adamcore.backends.files.record import token_of
from adamcore.backends.files.step import Mover
from adamcore.errors import CheckpointError


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """Return the whole of a step that has begun."""
    found: list[Any] = []

    class Begun(Exception):
        pass

    def begin(blocks: Any, share: Any, saved: Any) -> Any:
        mover = Mover(blocks, share, saved)
        found.extend((blocks, mover.batches))
        raise Begun

    run = Run.create(tmp_path / "run", Adam(lr=0.1), {"w": np.ones(6, np.float32)})
    np.save(tmp_path / "w.npy", np.ones(6, np.float32))
    monkeypatch.setattr(module, "Mover", begin)
    with pytest.raises(Begun):
        run.step(tmp_path)
    token = token_of(run.folder)
    assert token is not None
    return Part(run.folder, token, *found)


def test_a_part_is_made_in_another_process(part: Part) -> None:
    """Its record is small, and it writes the bits of the step."""
    sent = pickle.dumps(part)
    assert len(sent) < 4000
    assert make_part(pickle.loads(sent)) == 6
    written = (part.folder / "1" / "p.safetensors").read_bytes()
    assert np.frombuffer(written[-24:], np.float32).tolist() == [np.float32(1) - np.float32(0.1)] * 6


def test_a_part_of_a_step_that_was_given_up_writes_nothing(part: Part) -> None:
    old = Part(part.folder, "of another making", part.blocks, part.batches)
    with pytest.raises(CheckpointError, match="given up"):
        make_part(old)
    (part.folder / "pending.json").unlink()  # as after the commit
    with pytest.raises(CheckpointError, match="given up"):
        make_part(part)
    assert not any((part.folder / "1" / "p.safetensors").read_bytes()[-24:])


def test_a_folder_that_a_worker_does_not_have(part: Part) -> None:
    with pytest.raises(CheckpointError, match="folders that every worker has"):
        make_part(Part(part.folder / "x", part.token, part.blocks, part.batches))
