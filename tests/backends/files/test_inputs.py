"""What a user may give as parameters and gradients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disk_runs import same_bits

from adamcore import Adam
from adamcore.backends.files import Run
from adamcore.backends.files.inputs import named
from adamcore.errors import CheckpointError, GradientError, ParameterError


def values(found: Any) -> dict[str, Any]:
    """Return the arrays in memory."""
    whole = {}
    for name, x in found.items():
        whole[name] = np.empty(int(np.prod(x.shape)), x.dtype)
        x.read(0, whole[name].size, whole[name])
        whole[name] = whole[name].reshape(x.shape)
    return whole


W, B = np.arange(6.0).reshape(2, 3), np.ones(2, np.float32)


def test_trees() -> None:
    found = named({"layer": [W, B], "a.b": W}, "params", ParameterError)
    assert list(found) == ["a.b", "layer.0", "layer.1"]
    assert same_bits(values(found)["layer.0"], W)
    with pytest.raises(CheckpointError, match=r"two parameters are called 'a.b'"):
        named({"a": {"b": W}, "a.b": B}, "params", ParameterError)


def test_files_of_safetensors(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"w": W}, tmp_path / "1.safetensors")
    numpy.save_file({"b": B}, tmp_path / "2.safetensors")
    index = {"weight_map": {"w": "1.safetensors", "b": "2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    for path in (tmp_path / "model.safetensors.index.json", tmp_path):
        found = values(named(path, "params", ParameterError))
        assert list(found) == ["b", "w"]
        assert same_bits(found["w"], W)
    assert list(named(str(tmp_path / "2.safetensors"), "params", ParameterError)) == ["b"]


def test_files_of_numpy(tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    np.save(tmp_path / "layer" / "w.npy", W)
    np.save(tmp_path / "a%2Fb.npy", B)
    found = values(named(tmp_path, "params", ParameterError))
    assert list(found) == ["a/b", "layer/w"]
    assert same_bits(found["layer/w"], W)


def test_groups_of_zarr(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "g"), mode="w")
    group.create_array("layer/w", shape=W.shape, chunks=(2, 2), dtype=W.dtype)[...] = W
    found = named(tmp_path / "g", "params", ParameterError)
    assert list(found) == ["layer/w"]
    assert same_bits(values(found)["layer/w"], W)
    assert same_bits(values(named({"w": group["layer/w"]}, "params", ParameterError))["w"], W)


def test_gradients_that_are_absent(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", W)
    assert named(tmp_path, "grads", GradientError, ["w", "b"], ["b"])["b"] is None
    assert list(named({"b": None, "w": W}, "grads", GradientError, ["w", "b"])) == ["w", "b"]
    with pytest.raises(GradientError, match=r"lacks 'b' and has none besides.*its name in `absent`"):
        named(tmp_path, "grads", GradientError, ["w", "b"])


def test_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no arrays"):
        named(tmp_path, "params", ParameterError)
    with pytest.raises(CheckpointError, match="x is not there"):
        named(tmp_path / "x", "grads", GradientError, ["w"])
    (tmp_path / "x.safetensors").write_bytes(b"1234")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        named(tmp_path / "x.safetensors", "params", ParameterError)


def test_arrays_of_dask_are_gradients_alone() -> None:
    da = pytest.importorskip("dask.array")
    x = {"w": da.ones(3)}
    assert named(x, "grads", GradientError, ["w"])["w"].shape == (3,)
    with pytest.raises(ParameterError, match=r"a gradient may be one of Dask.*numpy\.asarray"):
        named(x, "params", ParameterError)


def test_arrays_without_a_name_or_in_another_byte_order(tmp_path: Path) -> None:
    for nameless in (W, {"": W}):
        with pytest.raises(ParameterError, match=r"without a name: expected .*\{'w': array\}"):
            named(nameless, "params", ParameterError)
    with pytest.raises(ParameterError, match=r"of dtype >f4.*give x\.astype\('float32'\)"):
        Run.create(tmp_path / "run", Adam(), {"w": B.astype(">f4")})
