"""The files of named arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from adamcore.backends.files.formats import FORMATS, Spec, in_npy, make, open_arrays, quoted
from adamcore.errors import CheckpointError

SPECS = {
    "p": {"a/b": Spec("float32", (2, 3)), "..": Spec("float64", ()), "é.w": Spec("float16", (0,))},
    "m": {"a/b": Spec("float64", (2, 3))},
}


@pytest.mark.parametrize("file_format", FORMATS)
def test_made_and_opened(tmp_path: Path, file_format: str) -> None:
    if file_format == "zarr":
        pytest.importorskip("zarr")
    make(tmp_path, file_format, SPECS)
    found = open_arrays(tmp_path, file_format, SPECS)
    for part, arrays in SPECS.items():
        for name, spec in arrays.items():
            x = np.asarray(found[part][name].mapped()[...])
            assert (x.dtype.name, x.shape, not x.any()) == (spec.dtype, spec.shape, True)
    found["p"]["a/b"].write(0, 6, np.arange(6, dtype=np.float32))
    again = open_arrays(tmp_path, file_format, SPECS)["p"]["a/b"].mapped()
    assert again[...].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        {"safetensors": ["p.safetensors", "m.safetensors"], "npy": ["p", "m"], "zarr": ["p.zarr", "m.zarr"]}[
            file_format
        ]
    )
    other = {"p": SPECS["p"] | {"a/b": Spec("float32", (3, 2))}}
    with pytest.raises(CheckpointError, match=r"'a/b' is Spec.*expected Spec"):
        open_arrays(tmp_path, file_format, other)


def test_safetensors_reads_it(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    make(tmp_path, "safetensors", SPECS)
    found = numpy.load_file(tmp_path / "p.safetensors")
    assert {name: (x.dtype.name, x.shape) for name, x in found.items()} == SPECS["p"]


def test_zeros_take_no_room(tmp_path: Path) -> None:
    specs = {"m": {"x": Spec("float32", (1 << 26,))}}
    for file_format in ("safetensors", "npy"):
        make(tmp_path, file_format, specs)
    for path in (tmp_path / "m.safetensors", tmp_path / "m" / "x.npy"):
        found = os.stat(path)
        assert found.st_size > 1 << 28
        assert found.st_blocks * 512 < 1 << 20


def test_the_format_lacks_a_dtype(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"complex64, which safetensors lacks.*file_format='npy'"):
        make(tmp_path, "safetensors", {"p": {"x": Spec("complex64", (2,))}})
    pytest.importorskip("ml_dtypes")
    pytest.importorskip("zarr")
    with pytest.raises(CheckpointError, match="zarr has no dtype bfloat16"):
        make(tmp_path, "zarr", {"p": {"x": Spec("bfloat16", (2,))}})


def test_files_of_numpy(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    np.save(tmp_path / "narrow.npy", np.ones(3, ml_dtypes.bfloat16))
    assert in_npy(tmp_path / "narrow.npy").dtype == ml_dtypes.bfloat16
    np.save(tmp_path / "columns.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    into = np.empty(6)
    in_npy(tmp_path / "columns.npy").read(0, 6, into)
    assert into.tolist() == [0, 1, 2, 3, 4, 5]
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(CheckpointError, match="can't be read"):
        in_npy(tmp_path / "cut.npy")


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "C:", "x" * 20, "é", "*?"])
def test_a_name_is_one_file(name: str) -> None:
    assert not {*quoted(name)} & {*'/\\:*?"<>|'}
    assert quoted(name).strip(".")
