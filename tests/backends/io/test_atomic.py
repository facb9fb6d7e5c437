"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adamcore.backends.io.atomic import check_writable, write_whole


def test_the_parts_in_their_order(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", [b"a", memoryview(b"bc"), b""])
    write_whole(str(tmp_path / "other"), [])
    assert (tmp_path / "file").read_bytes() == b"abc"
    assert (tmp_path / "other").read_bytes() == b""
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_a_folder_that_is_not_there_is_told_with_the_name_that_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(tmp_path / "no" / "file", [b"x"])
    assert caught.value.filename == str(tmp_path / "no" / "file")


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


def other_end(fifo: Path) -> tuple[threading.Thread, list[bytes]]:
    """Return a thread that reads the pipe to its end, started, and what it will have read."""
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    thread.start()
    return thread, got


def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader, got = other_end(pipe)
    check_writable(pipe)
    write_whole(pipe, [b"one, ", memoryview(b"two")])
    mode = pipe.lstat().st_mode
    if not stat.S_ISFIFO(mode):  # set the reader free
        pipe.unlink()
    assert stat.S_ISFIFO(mode)
    reader.join(10)
    assert got == [b"one, two"]
    assert os.listdir(tmp_path) == ["pipe"]


def test_an_error_midway_writes_nothing_into_a_pipe(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("no second part")

    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(ValueError, match="no second part"):
            write_whole(tmp_path / "pipe", parts())
        with pytest.raises(BlockingIOError):
            os.read(end, 8)
    finally:
        os.close(end)


def test_a_terminal_is_written_into_and_stays(tmp_path: Path) -> None:
    """Through a link, as to a device: the pseudo-terminal is made by this test."""
    main, terminal = os.openpty()
    try:
        link = tmp_path / "link"
        link.symlink_to(os.ttyname(terminal))
        write_whole(link, [b"said"])
        assert link.is_symlink()
        assert stat.S_ISCHR(link.stat().st_mode)
        assert os.read(main, 64) == b"said"
    finally:
        os.close(main)
        os.close(terminal)


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "file").write_bytes(b"old")
    (tmp_path / "near").symlink_to(Path("far", "file"))
    (tmp_path / "link").symlink_to("near")
    write_whole(tmp_path / "link", [b"new"])
    assert os.readlink(tmp_path / "link") == "near"
    assert os.readlink(tmp_path / "near") == str(Path("far", "file"))
    assert (tmp_path / "far" / "file").read_bytes() == b"new"


def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", [b"new"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_hard_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"something old")
    (tmp_path / "file").chmod(0o640)
    os.link(tmp_path / "file", tmp_path / "other")
    for content in (b"new", b"longer than what was there before", b""):
        write_whole(tmp_path / "other", [content])
        assert (tmp_path / "file").read_bytes() == content
        assert os.path.samefile(tmp_path / "file", tmp_path / "other")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_a_file_with_hard_links_is_as_it_was_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("no second part")

    (tmp_path / "file").write_bytes(b"old")
    os.link(tmp_path / "file", tmp_path / "other")
    with pytest.raises(ValueError, match="no second part"):
        write_whole(tmp_path / "file", parts())

    def full(file: int, start: int, size: int) -> None:
        os.ftruncate(file, size)  # as if a part of the room had been there
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", [b"longer"])
    assert (tmp_path / "other").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for write in (check_writable, lambda path: write_whole(path, [b"new"])):
        with pytest.raises(OSError, match="symbolic links"):
            write(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_the_mode_is_kept(tmp_path: Path, mode: int) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(mode)
    write_whole(tmp_path / "file", [b"new"])
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "file", [b"new"])
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, real = [], os.fsync

    def fsync(file: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o600)
    write_whole(tmp_path / "file", [b"new"])
    assert modes == [0o600]


def test_a_read_only_file_is_refused_to_root_as_well(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o444)
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        for write in (check_writable, lambda path: write_whole(path, [b"new"])):
            with pytest.raises(PermissionError, match="read-only"):
                write(tmp_path / name)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    for content in (b"new", b"newer"):
        write_whole(tmp_path / ("x" * 255), [content])
    assert (tmp_path / ("x" * 255)).read_bytes() == b"newer"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
def test_own_output_in_a_file_is_not_replaced(tmp_path: Path) -> None:
    """What was printed before and after stays, in order, whichever name the output is given by.

    The link stands for ``/dev/stdout``, which a faulty writer would take from the machine.
    """
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    program = (
        "import sys; from adamcore.backends.io.atomic import check_writable, write_whole; print('before');"
        "write_whole(sys.argv[1], [b'written\\n']); print('after')"
    )
    for name in (str(tmp_path / "stdout"), str(tmp_path / "out")):
        with (tmp_path / "out").open("wb") as out:
            subprocess.run([sys.executable, "-c", program, name], stdout=out, check=True)
        assert (tmp_path / "out").read_text(encoding="utf-8") == "before\nwritten\nafter\n"


def test_a_test_of_the_path_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    check_writable(tmp_path / "link")
    with pytest.raises(IsADirectoryError):
        check_writable(tmp_path)
    with pytest.raises(FileNotFoundError):
        check_writable(tmp_path / "none" / "file")
    assert os.listdir(tmp_path) == ["link"]
