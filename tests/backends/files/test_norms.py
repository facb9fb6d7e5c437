"""Gradients in files are clipped as those in memory are, bit for bit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk_runs import arrays, in_memory, same, saved

from adamcore import Adam, Clip
from adamcore.backends.files import Run, norms
from adamcore.backends.files import run as module
from adamcore.backends.files.arrays import MemoryArray, ZarrArray
from adamcore.backends.kernels import norms as kernel
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.errors import GradientError, HyperparameterError
from adamcore.step import Rows

SIZES = {"a": (40, 3000), "b": (), "c": (0, 3), "d": (50,)}
CLIPS = [
    Clip(global_norm=0.5, eps=1e-6),
    Clip(norm=np.float64(0.25)),
    Clip(value=0.3),
    Clip(global_norm=0.5, total=3.0),
]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("clip", CLIPS)
def test_bits(tmp_path: Path, clip: Clip, dtype: str) -> None:
    adam, params = Adam(lr=0.1, eps=1e-3), arrays(0, dtype, SIZES)
    given: list[Any] = [arrays(k + 1, dtype, SIZES) for k in range(3)]
    given[1]["d"] = None  # which does not count
    run = Run.create(tmp_path / "run", adam, params)
    options: dict[str, Any] = {"clip": clip, "grad_scale": 3.0}
    for k in range(2):
        run.step(given[k], ceiling=1 << 20, **options)
    run.step(saved(tmp_path / "g", given[2]), **options, dask=has_dask())
    assert same(run, *in_memory(adam, params, 3, given.__getitem__, **options))


def has_dask() -> bool:
    try:
        import dask  # noqa: F401
    except ImportError:
        return False
    return True


def test_a_step_that_is_resumed_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adam, params, grads = Adam(lr=0.1, eps=1e-3), arrays(0, sizes=SIZES), arrays(1, sizes=SIZES)
    run = Run.create(tmp_path / "run", adam, params)
    clip = Clip(norm=0.1, eps=0.7)
    with monkeypatch.context() as patch:
        patch.setattr(module, "Mover", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.step(grads, clip=clip)
    run = Run(tmp_path / "run")
    assert run.resume(grads)
    assert same(run, *in_memory(adam, params, 1, lambda k: grads, clip=clip))


@pytest.mark.parametrize("code", [True, False])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_a_norm_has_the_bits_of_that_in_memory(
    monkeypatch: pytest.MonkeyPatch, dtype: str, code: bool
) -> None:
    monkeypatch.setattr(norms, "RANGE", 1 << 16)
    if not code:
        monkeypatch.setattr(kernel, "available", lambda: False)
    for size in (0, 1, 1 << 16, 200_001):
        x = arrays(size, dtype, {"x": (size,)})["x"]
        assert norms.norm_of(partial(norms.ranges_of, MemoryArray(x))) == NUMPY.norms([x], [None])[0]


def test_what_a_mask_excludes_does_not_count() -> None:
    g, where = np.array([3.0, np.nan, 4.0, 1e300]), np.array([True, False, True, False])
    assert NUMPY.norms([g, g[:1]], [where, None]) == [5.0, 3.0]
    assert NUMPY.norms([g.reshape(2, 2)], [np.array([[True, False]])]) == [5.0]


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_what_float64_can_not_square(size: float) -> None:
    x = np.array([3, np.inf, 4, np.nan]) * size
    found = norms.norm_of(lambda: norms.ranges_of(MemoryArray(x)))
    assert found == pytest.approx(5 * size, rel=1e-15)
    with NUMPY.scope():
        assert found == pytest.approx(float(NUMPY.norms([x], [None])[0]), rel=1e-15)


def test_chunks_of_zarr_are_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zarr = pytest.importorskip("zarr")
    monkeypatch.setattr(norms, "CHUNK", 40)
    monkeypatch.setattr(norms, "RANGE", 64)
    x = zarr.create_array(tmp_path / "x", shape=(5, 7, 9), chunks=(1, 4, 9), dtype="float32")
    x[:] = np.arange(315).reshape(5, 7, 9)
    parts = list(norms.ranges_of(ZarrArray(x)))
    assert [part.size for part in parts] == [64] * 4 + [59]
    assert np.concatenate(parts).tolist() == list(range(315))


def test_what_is_refused(tmp_path: Path) -> None:
    da = pytest.importorskip("dask.array")
    run = Run.create(
        tmp_path / "run", Adam(complex="modulus"), {"w": np.ones(4, np.complex64)}, file_format="npy"
    )
    g = {"w": np.ones(4, np.complex64)}
    with pytest.raises(HyperparameterError, match="turn its direction; clip by norm"):
        run.step(g, clip=Clip(value=0.1))
    with pytest.raises(HyperparameterError, match="Clip with global_norm and value"):
        run.step(g, clip=Clip(global_norm=1.0, value=0.1))
    with pytest.raises(GradientError, match=r"Clip\(global_norm=..., total=...\); or clip by value"):
        run.step({"w": da.ones(4, dtype="complex64")}, clip=Clip(norm=1.0))
    with pytest.raises(GradientError, match="is Rows: expected all of its rows"):
        run.step({"w": Rows(np.array([1]), np.ones(1, np.complex64))})
    assert not run.interrupted
    run.step({"w": da.ones(4, dtype="complex64")}, clip=Clip(global_norm=1.0, total=2.0))
    assert np.allclose(run.state.m["w"], 0.05)
