"""Files written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write beside the destination, then rename: it is never half there, and untouched by a failure.

    Raises:
        OSError: it can't be written.
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
