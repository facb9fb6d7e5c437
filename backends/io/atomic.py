"""Files that are written whole or not at all, to what the path stands for."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file beside its destination, then rename it.

    So the destination never has half of the content, and an error leaves it as it was.  A symbolic link
    stays, and the file that it points to is written; a file that was there keeps its mode and, where the
    system allows it, its owner.  A file with several names (hard links) is the same file under each of them
    afterwards: renaming would part them, so the content is copied into it once all of it is on the disk and
    the room for it is reserved.  What is no regular file (a pipe, a terminal, a device) is not replaced:
    the content is written into it once all of it is there.  So it is for this process' own output, such as
    ``/dev/stdout``.

    Args:
        path: the destination.
        parts: the content, in pieces.

    Raises:
        OSError: the file cannot be written, or its mode says that nobody may write to it; this holds for
            root as well.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(f"{folder}/file", [b"one, ", b"two"])
        ...     Path(folder, "file").read_bytes()
        b'one, two'
    """
    old = status(path)
    if old is not None and not is_replaceable(old):
        write_into(path, old, b"".join(parts))
        return
    target = resolved(path)
    beside = target.parent / f".{secrets.token_hex(8)}.adamcore"
    try:
        with new_file(beside, path, private if old is not None else None) as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if old is not None and old.st_nlink > 1:
            copy_into(target, beside, old.st_size)
            return
        if old is not None:
            with suppress(OSError, AttributeError):  # only root may give a file to another
                os.chown(beside, old.st_uid, old.st_gid)
            shutil.copystat(target, beside)
            os.utime(beside)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def sync(path: str | os.PathLike[str]) -> None:
    """Have on the disk what was written to a file, or what a folder lists where the system can do that.

    Raises:
        OSError: the disk fails, or nothing is there.
    """
    folder = os.path.isdir(path)
    if folder and os.name == "nt":  # which cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_into(target: Path, source: Path, old_size: int) -> None:
    """Copy a file's content into one that is there, which stays the same file.

    Raises:
        OSError: there is no room, and the file is as it was; or the disk fails.
    """
    size = source.stat().st_size
    with open(source, "rb") as new, open(target, "r+b") as file:
        if size > old_size and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError:
                os.ftruncate(file.fileno(), old_size)
                raise
        shutil.copyfileobj(new, file)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise OSError if :func:`write_whole` could not write to ``path``; change nothing there."""
    old = status(path)
    if old is not None and not is_replaceable(old):
        return
    with tempfile.NamedTemporaryFile(dir=resolved(path).parent, prefix="."):
        pass


def is_regular(path: str | os.PathLike[str]) -> bool:
    """True if ``path`` is, or would become, a regular file that :func:`write_whole` replaces."""
    old = status(path)
    return old is None or is_replaceable(old)


def status(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Return the status of what is at ``path``, links followed; None if nothing is there.

    Raises:
        OSError: it is a folder, it is read-only, or it cannot be reached.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not found.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only", str(path))
    return found


def is_replaceable(found: os.stat_result) -> bool:
    """True for a regular file, unless this process' standard output or error goes to it."""
    return stat.S_ISREG(found.st_mode) and own_output(found) is None


def own_output(found: os.stat_result) -> int | None:
    """Return the descriptor, 1 or 2, of this process that writes to this file; None if neither does."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def write_into(path: str | os.PathLike[str], found: os.stat_result, content: bytes) -> None:
    """Write into what is at ``path`` as it is, without replacing or cutting it."""
    own = own_output(found)
    if own is None:
        file = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0))
    else:
        for stream in (sys.stdout, sys.stderr):  # what was printed before comes before
            if stream is not None:
                stream.flush()
        file = os.dup(own)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
    finally:
        os.close(file)


def resolved(path: str | os.PathLike[str]) -> Path:
    """Return the path of the file itself, with all symbolic links followed."""
    return Path(os.path.realpath(path))


def new_file(
    beside: Path, path: str | os.PathLike[str], opener: Callable[[str, int], int] | None
) -> BinaryIO:
    """Open a new file for what ``path`` will be, which an error names."""
    try:
        return open(beside, "xb", opener=opener)
    except OSError as error:
        error.filename = os.fspath(path)
        raise


def private(path: str, flags: int) -> int:
    """Open a new file that nobody else can read before it has the mode of the file that it replaces."""
    return os.open(path, flags, 0o600)
