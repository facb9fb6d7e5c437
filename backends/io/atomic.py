"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file beside its destination, then rename it.

    So the destination never has half of the content, and an error leaves it as it was.

    Args:
        path: the destination.
        parts: the content, in pieces.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_whole(f"{folder}/file", [b"one, ", b"two"])
        ...     Path(folder, "file").read_bytes()
        b'one, two'
    """
    target = Path(path)
    beside = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        with beside.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
