"""TensorFlow's checkpoints, those that tell less among them; real ones are in tests/data/states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT

from adamcore.backends.checkpoints.request import Request
from adamcore.backends.io.tensor_bundle import TensorBundle
from adamcore.backends.states.foreign import read
from adamcore.backends.states.tensorflow import from_tensorflow, prefix_of
from adamcore.conformance.cli import main
from adamcore.errors import CheckpointError

FILES = ROOT / "tests" / "data" / "states" / "files" / "tensorflow"


def test_paths_to_a_checkpoint(tmp_path: Path) -> None:
    """The prefix, the index, a folder that names the last one, and a SavedModel."""
    whole = FILES / "tf1" / "ck"
    assert prefix_of(whole) == prefix_of(f"{whole}.index") == prefix_of(FILES / "tf1") == whole
    assert prefix_of(FILES) is None
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"")
    assert prefix_of(tmp_path) == tmp_path / "variables" / "variables"
    assert prefix_of(tmp_path / "none") is None


def test_what_somebody_copied_out_of_a_checkpoint(tmp_path: Path) -> None:
    """Without the graph of objects the names are the paths; numbered variables have none."""
    for name in ("legacy", "keras2"):
        arrays = dict(TensorBundle(FILES / name / "ck", CheckpointError))
        np.savez(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    state = read(tmp_path / "legacy.npz")
    assert set(state.leaves) == {f"model/layer_with_weights-0/{part}" for part in ("kernel", "bias")}
    assert state.one_clock() == 3
    with pytest.raises(CheckpointError, match="graph of objects, which is not there"):
        read(tmp_path / "keras2.npz")


def test_variables_of_the_same_name_keep_their_paths() -> None:
    """Two models with a layer "dense" each: the names would be the same."""
    key = "{}/dense/kernel/.OPTIMIZER_SLOT/optimizer/{}/.ATTRIBUTES/VARIABLE_VALUE"
    arrays: dict[str, Any] = {key.format(net, part): np.ones(2) for net in "ab" for part in "mv"}
    arrays["optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE"] = np.asarray(5)
    state = from_tensorflow(arrays, "F", Request())
    assert set(state.leaves) == {"a/dense/kernel", "b/dense/kernel"}


def test_what_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "t.pt")
    assert main(["convert", str(FILES / "two" / "ck"), target, "--to", "torch"]) == 1
    said = capsys.readouterr().err
    assert "2 states of Adam" in said
    assert "'critic', 'generator'" in said
    assert "--key" in said
    with pytest.raises(CheckpointError, match="no one Adam at 'gen'"):
        read(FILES / "two" / "ck", key="gen")
    with pytest.raises(CheckpointError, match="expected one of mlx's"):
        read(FILES / "two" / "ck", "mlx", key="generator")
    with pytest.raises(CheckpointError, match="say so, tf1 or bert"):
        from_tensorflow({"w": np.zeros(2)}, "F", Request())
