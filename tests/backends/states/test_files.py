"""The canonical form on file: every bit comes back, and damage is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from state_samples import made, same

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states import Moments, NamedState
from adamcore.backends.states.foreign import read
from adamcore.conformance.cli import main
from adamcore.errors import CheckpointError


def test_a_file_gives_back_every_bit(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    adam = Adam.like("torch.NAdam", lr=0.1 + 1e-17, weight_decay=0.3, amsgrad="uncorrected")
    values: dict[str, np.ndarray] = {
        "f8": np.array([1 / 3, -0.0, np.inf]),
        "f4": np.array([[1e-45]], "float32"),
        "bf": np.ones(3, ml_dtypes.bfloat16),
        "c8": np.array([1 + 2j], "complex64"),
        "c16": np.array(3 - 1j),
        "f2": np.zeros((0, 2), "float16"),
    }
    leaves = {n: Moments(k, x, x, x, mu_product=0.1 * k) for k, (n, x) in enumerate(values.items())}
    state = NamedState(adam, leaves, {"f8": {"lr": 0.7}}, "torch.NAdam")
    states.save(state, tmp_path / "s.safetensors")
    back = states.load(tmp_path / "s.safetensors")
    same(state, back)
    assert (back.adam, dict(back.special), back.dialect) == (adam, {"f8": {"lr": 0.7}}, "torch.NAdam")
    assert os.listdir(tmp_path) == ["s.safetensors"]
    from safetensors import safe_open

    with safe_open(tmp_path / "s.safetensors", framework="numpy") as file:
        about = json.loads(file.metadata()["adamcore"])
        assert about["edition"] == "2026.1"
        assert set(file.keys()) >= {"m/f8", "v/bf", "v_max/c16"}


@pytest.mark.parametrize("end", [".npz", ".pt", ".PTH", ".msgpack"])
def test_a_name_of_another_kind_of_file_is_refused(tmp_path: Path, end: str) -> None:
    with pytest.raises(
        CheckpointError, match=f"not written as {end.lower()}: expected a name in .safetensors"
    ):
        states.save(made(), tmp_path / f"s{end}")
    assert not os.listdir(tmp_path)


def test_damage_is_named_and_the_destination_stands(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    states.save(made(), path)
    good = path.read_bytes()
    header = int.from_bytes(good[:8], "little")
    flipped = bytearray(good)
    flipped[-1] ^= 1
    renamed = good.replace(b"a.w", b"a.x")
    for data, said in (
        (b"", "empty or cut"),
        (good[:5], "empty or cut"),
        (good[: header // 2], "is cut"),
        (good[:-3], "is cut"),
        (good + b"\0", "damaged"),
        (bytes(flipped), "hash"),
        (renamed, "hash"),
        (b"\x80\x04junk" * 9, "no safetensors"),
        (good[:8] + b"{" + b"x" * (header - 1) + good[8 + header :], "header"),
    ):
        (tmp_path / "bad").write_bytes(data)
        with pytest.raises(CheckpointError, match=said):
            states.load(tmp_path / "bad")
        for source_kind in ([], ["--from", "adamcore"]):
            assert main(["convert", str(tmp_path / "bad"), str(path), *source_kind]) == 1
        assert path.read_bytes() == good
    for cut in range(0, len(good) - 1, 97):
        (tmp_path / "bad").write_bytes(good[:cut])
        with pytest.raises(CheckpointError):
            states.load(tmp_path / "bad")
    with pytest.raises(CheckpointError, match="can't be read"):
        states.load(tmp_path / "missing")
    with pytest.raises(CheckpointError, match="can't be written"):
        states.save(made(), tmp_path / "missing" / "s")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        states.save(made(), path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["s"]


def test_foreign_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="without this project's metadata"):
        states.load(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="does not tell whose"):
        read(tmp_path / "w.safetensors")
