"""TensorFlow's checkpoints, read without TensorFlow; real ones are in tests/data/states."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT

from adamcore.backends.io.tensor_bundle import TensorBundle
from adamcore.errors import CheckpointError

FILES = ROOT / "tests" / "data" / "states" / "files" / "tensorflow"


def test_names_and_arrays() -> None:
    bundle = TensorBundle(FILES / "bert" / "ck", CheckpointError)
    kinds = ("", "/adam_m", "/adam_v")
    names = {f"dense/{part}{kind}" for part in ("kernel", "bias") for kind in kinds} | {"global_step"}
    assert set(bundle) == names
    assert len(bundle) == 7
    assert "dense/kernel" in bundle
    assert bundle["dense/kernel"].shape == (3, 2)
    assert bundle["dense/kernel"].dtype == np.float32
    assert bundle["global_step"] == 3
    assert bundle.text("dense/none") == b""


def test_strings_are_no_arrays() -> None:
    bundle = TensorBundle(FILES / "keras3" / "ck", CheckpointError)
    assert "_CHECKPOINTABLE_OBJECT_GRAPH" not in list(bundle)
    assert b"dense/kernel" in bundle.text("_CHECKPOINTABLE_OBJECT_GRAPH")
    with pytest.raises(CheckpointError, match="TensorFlow's type 7: expected numbers"):
        bundle["_CHECKPOINTABLE_OBJECT_GRAPH"]


def test_damaged_files(tmp_path: Path) -> None:
    """Cut at any byte, or with a byte changed, the index is an error of ours or still an index."""
    whole = (FILES / "bert" / "ck.index").read_bytes()
    prefix = tmp_path / "ck"
    for cut in (0, 10, 100, len(whole) - 1):
        Path(f"{prefix}.index").write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match="damaged, or no index"):
            TensorBundle(prefix, CheckpointError)
    shutil.copy(FILES / "bert" / "ck.data-00000-of-00001", tmp_path)
    for k in range(len(whole)):
        Path(f"{prefix}.index").write_bytes(whole[:k] + bytes([whole[k] ^ 0x55]) + whole[k + 1 :])
        with contextlib.suppress(CheckpointError):
            dict(TensorBundle(prefix, CheckpointError))
    Path(f"{prefix}.index").write_bytes(whole)
    data = (FILES / "bert" / "ck.data-00000-of-00001").read_bytes()
    (tmp_path / "ck.data-00000-of-00001").write_bytes(data[:-1])
    with pytest.raises(CheckpointError, match="is cut"):
        dict(TensorBundle(prefix, CheckpointError))
    (tmp_path / "ck.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match="can't be read"):
        dict(TensorBundle(prefix, CheckpointError))
