"""The small files of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.files.arrays import FileArray, MemoryArray
from adamcore.backends.files.formats import Spec
from adamcore.backends.files.record import (
    Commit,
    Layout,
    Pending,
    begun,
    read_commit,
    read_layout,
    read_pending,
    write_commit,
    write_layout,
    write_pending,
)
from adamcore.errors import CheckpointError

LAYOUT = Layout(Adam(lr=0.1, b2=0.99), "npy", {"p": {"b": Spec("float32", (2,)), "a": Spec("float64", ())}})
COMMIT = Commit(3, 1, [4, 5], [0.1, 1 / 3], [1])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_layout(tmp_path, LAYOUT)
    write_commit(tmp_path, COMMIT)
    assert read_layout(tmp_path) == LAYOUT
    assert read_layout(tmp_path).names == ["b", "a"]
    assert read_commit(tmp_path, 2) == COMMIT
    assert read_pending(tmp_path, COMMIT) is None
    pending = Pending(3, 1 << 30, 0.1, None, 1 / 3, ["b"], "g", {"a": ["/g", 1, 2, 3], "b": None}, [0], 7)
    write_pending(tmp_path, pending)
    assert read_pending(tmp_path, COMMIT) == pending
    assert read_pending(tmp_path, replace(COMMIT, steps=4)) is None  # it was committed, and not unlinked


@pytest.mark.parametrize("name", ["run.json", "commit.json"])
def test_damage(tmp_path: Path, name: str) -> None:
    def read() -> None:
        read_layout(tmp_path)
        read_commit(tmp_path, 2)

    write_layout(tmp_path, LAYOUT)
    write_commit(tmp_path, COMMIT)
    read()
    path = tmp_path / name
    whole = path.read_text(encoding="utf-8")
    for cut in range(0, len(whole), 37):
        path.write_text(whole[:cut], encoding="utf-8")
        with pytest.raises(CheckpointError, match="can't be read"):
            read()
    path.write_text(whole.replace("99", "98").replace("3", "4"), encoding="utf-8")
    with pytest.raises(CheckpointError, match="is damaged"):
        read()
    path.write_text(json.dumps({"sha256": "", "content": "{}"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="is damaged"):
        read()
    path.unlink()
    with pytest.raises(CheckpointError, match="is not there"):
        read()


def test_other_parameters(tmp_path: Path) -> None:
    write_commit(tmp_path, COMMIT)
    with pytest.raises(CheckpointError, match="for other parameters"):
        read_commit(tmp_path, 3)


def test_a_step_goes_on_where_it_is_if_its_arrays_are_the_same_files(tmp_path: Path) -> None:
    """Any other gradient or mask begins it again, and so does one of which no file is known."""
    for name in "gm":
        (tmp_path / name).write_bytes(bytes(16))
    g, m = (FileArray(tmp_path / name, 0, np.dtype(bool), (16,)) for name in "gm")
    first = begun(Pending(3, 1 << 30, same=[1]), {"a": g, "b": None}, {"a": m, "b": True})
    assert (first.done, first.same) == (0, [1])
    write_pending(tmp_path, replace(first, done=7))
    read = read_pending(tmp_path, COMMIT)
    assert read is not None
    assert begun(read, {"a": g, "b": None}, {"a": m, "b": True}) == read
    others: list[Any] = [({"a": g, "b": None}, None), ({"a": g, "b": None}, {"a": g, "b": True})]
    others += [({"a": g, "b": None}, {"a": m, "b": False}), ({"a": g, "b": g}, {"a": m, "b": True})]
    others += [({"a": g, "b": None}, {"a": MemoryArray(np.ones(16, bool)), "b": True})]
    for gradients, present in others:
        again = begun(read, gradients, present)
        assert (again.done, again.same) == (0, [])
