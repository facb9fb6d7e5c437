"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from adamcore.backends.io.atomic import write_whole


def test_the_parts_in_their_order(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", [b"a", memoryview(b"bc"), b""])
    write_whole(str(tmp_path / "other"), [])
    assert (tmp_path / "file").read_bytes() == b"abc"
    assert (tmp_path / "other").read_bytes() == b""
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_an_error_midway_leaves_what_was_there(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"new"
        raise ValueError("no second part")

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(ValueError, match="no second part"):
        write_whole(tmp_path / "file", parts())
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_is_replaced_before_all_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, real = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda _: order.append("synced"))

    def replace(*paths: Path) -> None:
        order.append("renamed")
        real(*paths)

    monkeypatch.setattr(os, "replace", replace)
    write_whole(tmp_path / "file", [b"new"])
    assert order == ["synced", "renamed"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "file", [b"new"])
    assert os.listdir(tmp_path) == []
