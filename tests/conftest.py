"""Array libraries as one fixture: a test of Adam's semantics runs on each of them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import session

gc.disable()  # what is imported and collected stays: to look for garbage there takes a fifth of the time
os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it once; its default is tensorflow
# JAX compiles a program once for all processes of a run, or for all runs if the variable names a folder.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(session.folder() / "programs"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


class Library:
    """How a test makes an array of one library, and looks into it."""

    def __init__(self, name: str, asarray: Any) -> None:
        self.name, self.asarray = name, asarray

    def __call__(self, values: Any, dtype: str = "float64") -> Any:
        return self.asarray(np.asarray(values, dtype=dtype))

    def numpy(self, array: Any) -> np.ndarray:
        if self.name == "torch":
            return np.asarray(array.detach().numpy(force=True))
        return np.array(getattr(array, "_array", array))

    def bits(self, array: Any) -> bytes:
        return self.numpy(array).tobytes()


@pytest.fixture(params=["numpy", "torch", "jax", "array_api_strict"])
def lib(request: pytest.FixtureRequest) -> Iterator[Library]:
    """Each array library, with float64."""
    name = request.param
    xp = pytest.importorskip(name)
    if name == "torch":
        yield Library(name, lambda a: xp.from_numpy(np.array(a)))
    elif name == "jax":
        with xp.enable_x64(True):
            yield Library(name, xp.numpy.asarray)
    elif name == "array_api_strict":
        strictest = {"boolean_indexing": False, "data_dependent_shapes": False, "enabled_extensions": ()}
        with xp.ArrayAPIStrictFlags(**strictest):
            yield Library(name, lambda a: xp.asarray(np.array(a)))
    else:
        yield Library(name, np.array)


@pytest.fixture(autouse=True)
def default_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables have their default width, whatever the terminal's or a library's COLUMNS says."""
    monkeypatch.delenv("COLUMNS", raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``gpu`` are skipped, and counted, where there is no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on garbage is collected, though not among what is there."""
    gc.freeze()
    gc.enable()


def has_cuda() -> bool:
    torch = pytest.importorskip("torch")
    return bool(torch.cuda.is_available())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernels for CUDA are compiled for the CPU, once for the tests of a file."""
    return tmp_path_factory.mktemp("cuda")


@pytest.fixture
def shim(folder: Path) -> Iterator[Any]:
    """The CPU in place of a CUDA device."""
    from cuda_shim import Shim, pretending

    with pretending(Shim(folder)) as made:
        yield made
