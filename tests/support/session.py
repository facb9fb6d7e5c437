"""One run of the tests: a folder that all of its processes share, and what is made there once."""

from __future__ import annotations

import atexit
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

VARIABLE = "ADAMCORE_TEST_SESSION"  #: names the folder to the workers of xdist and to what they start


def folder() -> Path:
    """Return the folder of this run, which the process that makes it removes at its end."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = mkdtemp(prefix="adamcore-tests-")
        atexit.register(remove, os.environ[VARIABLE], os.getpid())
    return Path(os.environ[VARIABLE])


def remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # and not a fork of it
        rmtree(path, ignore_errors=True)


def once(name: str, make: Callable[[], str]) -> str:
    """Return the text that ``make`` gave to the first process that asked for ``name``; the others wait."""
    path = folder() / name
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        if not text:
            text = make()
            file.write(text)
    return text
