"""One run of the tests: the folder that all of its processes share."""

from __future__ import annotations

import atexit
import os
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
