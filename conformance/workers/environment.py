"""The environment variables of a worker."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from functools import cache
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adamcore.conformance.settings import Ranks

PATH = "ADAMCORE_WORKER_PATH"  #: the variable with the places from which the parent imports
ONE_AT_A_TIME = threading.Lock()  #: for the threads that start workers


def add_parents_path() -> None:
    """Add the folders from which the parent of a worker imports to the worker's path, at its end.

    So a worker finds a module that its parent finds, as under pytest, which puts folders on the path.
    """
    given = os.environ.get(PATH, "").split(os.pathsep)
    sys.path += [entry for entry in given if entry and entry not in sys.path]


def worker_environment(dtype: str, ranks: Ranks | None = None) -> dict[str, str]:
    """Return the environment of a worker for one dtype.

    JAX has float64 only if it is switched on for the whole process, so each dtype has workers of its own.
    It makes as many devices of the CPU as there are ranks, if it is told so before it starts; where each rank
    is a process, there is one device in each.
    """
    with ONE_AT_A_TIME:
        folder = compiled_programs()
    count = 0 if ranks is None else 1 if ranks.as_processes else ranks.processes
    devices = f" --xla_force_host_platform_device_count={count}" if count else ""
    return {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_TRACEBACK_FILTERING": "off",  # nobody reads the traceback of a step that a candidate refuses
        **os.environ,
        "JAX_ENABLE_X64": "1" if dtype == "float64" else "0",
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", "") + devices,
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONUNBUFFERED": "1",
        PATH: os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry),
    }


@cache
def compiled_programs() -> str:
    """Return the folder in which JAX keeps the programs that the workers of this process compile.

    Many probes have the same shapes and hyperparameters, and so the same program.  The folder is removed at
    the end of this process.  A folder that the user names in JAX_COMPILATION_CACHE_DIR takes its place.
    """
    folder = mkdtemp(prefix="adamcore-programs-")
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder
