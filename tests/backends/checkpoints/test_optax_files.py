"""Files of flax' and folders of orbax', damaged ones among them; real ones are in tests/data/states."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT

from adamcore.backends.checkpoints.optax_files import open_msgpack
from adamcore.backends.states.foreign import read
from adamcore.conformance.cli import main
from adamcore.errors import CheckpointError

FLAX = ROOT / "tests" / "data" / "states" / "files" / "flax"


def test_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flax cuts an array of more than 2**30 bytes in chunks."""
    serialization = pytest.importorskip("flax.serialization")
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 16)
    x = np.arange(30, dtype=np.float32).reshape(5, 6)
    (found,) = open_msgpack(serialization.to_bytes({"a": {"b": x}}), "F").values()
    assert np.array_equal(found, x)


@pytest.mark.parametrize("cut", [1, 100, -1])
def test_a_cut_file(cut: int, tmp_path: Path) -> None:
    pytest.importorskip("msgpack")
    data = (FLAX / "adamw.msgpack").read_bytes()
    (tmp_path / "s.msgpack").write_bytes(data[:cut])
    with pytest.raises(CheckpointError, match="damaged, or no tree that flax"):
        read(tmp_path / "s.msgpack")


def test_folders(tmp_path: Path) -> None:
    pytest.importorskip("tensorstore")
    with pytest.raises(CheckpointError, match="expected a file, or a checkpoint of orbax'"):
        read(tmp_path)
    for step in ("3", "7"):
        shutil.copytree(FLAX / "manager" / "3", tmp_path / step)
    with pytest.raises(CheckpointError, match="holds 2 steps"):
        read(tmp_path)
    assert read(tmp_path / "7").one_clock() == 3
    with pytest.raises(CheckpointError, match="expected one of torch's"):
        read(tmp_path / "7", "torch")
    shutil.rmtree(tmp_path / "7" / "opt_state" / "d")
    with pytest.raises(CheckpointError, match="can't be read"):
        read(tmp_path / "7")
    (tmp_path / "3" / "opt_state" / "_METADATA").write_text('{"tree_metadata": {"a": 1}}')
    with pytest.raises(CheckpointError, match="damaged, or not orbax'"):
        read(tmp_path / "3")


def test_a_folder_to_a_file_of_pytorch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("tensorstore")
    command = ["convert", str(FLAX / "standard"), str(tmp_path / "t.pt"), "--to", "torch"]
    assert main(command) == 1
    assert "--dialect" in capsys.readouterr().err
    assert main([*command, "--dialect", "optax.adamw", "--set", "weight_decay=0.3"]) == 0
    (group,) = torch.load(tmp_path / "t.pt")["param_groups"]
    assert group["param_names"] == ["dense.bias", "dense.kernel"]
