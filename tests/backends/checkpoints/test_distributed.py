"""Folders of torch.distributed.checkpoint: read without PyTorch's pickles, whole or not at all."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

from adamcore.backends.checkpoints.distributed import (
    METADATA,
    Piece,
    is_distributed,
    load_tensors,
    open_distributed,
)
from adamcore.errors import CheckpointError

torch = pytest.importorskip("torch")
NESTED = ROOT / "tests" / "data" / "states" / "files" / "torch" / "distributed"


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(NESTED, tmp_path / "copy"))


def test_the_content_as_pytorch_reads_it(tmp_path: Path) -> None:
    """Of two processes, with lists, tensors in pieces, and other values."""
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    assert is_distributed(NESTED)
    assert not is_distributed(tmp_path)
    dcp_to_torch_save(NESTED, tmp_path / "whole.pt")
    theirs = torch.load(tmp_path / "whole.pt", weights_only=False)
    lazy = open_distributed(NESTED)
    assert isinstance(lazy["optimizer"]["state"]["dense.bias"]["exp_avg"], Piece)
    ours = load_tensors(lazy, NESTED)

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, dict):
            return set(a) == set(b) and all(same(a[key], b[key]) for key in a)
        if isinstance(a, list):
            return len(a) == len(b) and all(map(same, a, b))
        return torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b)

    assert same(ours, theirs)


def test_what_is_incomplete_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    cut = folder / "__1_0.distcp"
    data = cut.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"__1_0.distcp is cut: .* ends behind its end"):
        load_tensors(open_distributed(folder), folder)
    cut.unlink()
    with pytest.raises(CheckpointError, match=r"can't be read: .*; expected the files of all processes"):
        load_tensors(open_distributed(folder), folder)
    part = Piece(open_distributed(NESTED)["optimizer"]["state"]["dense.kernel"]["exp_avg"])
    part["stored"] = part["stored"][:1]
    with pytest.raises(CheckpointError, match=r"exp_avg .* is incomplete: 4 of 6 elements"):
        load_tensors(part, NESTED)
    part["stored"] = [((2, 0), part["stored"][0][1])]
    with pytest.raises(
        CheckpointError, match=r"a piece of shape \(2, 2\) at \[2, 0\] is not within \[3, 2\]"
    ):
        load_tensors(part, NESTED)


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_metadata_runs_nothing(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / METADATA).write_bytes(pickle.dumps(Evil(tmp_path / "made")))
    with pytest.raises(CheckpointError, match="is damaged, or of a form that is not known"):
        open_distributed(folder)
    assert not (tmp_path / "made").exists()
    for data in (b"", b"no pickle", (NESTED / METADATA).read_bytes()[:500]):
        (folder / METADATA).write_bytes(data)
        with pytest.raises(CheckpointError, match="is damaged"):
            open_distributed(folder)


def test_pieces_outside_the_folder_or_compressed(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from adamcore.backends.checkpoints.distributed import read_piece

    info = SimpleNamespace(relative_path="../x", offset=0, length=1, transform_descriptors=None)
    with pytest.raises(CheckpointError, match="outside the folder"):
        read_piece(NESTED, info, "k")
    info = SimpleNamespace(relative_path="x", offset=0, length=1, transform_descriptors=["zstd"])
    with pytest.raises(CheckpointError, match=r"compressed \(zstd\)"):
        read_piece(NESTED, info, "k")


def test_the_flattened_form(tmp_path: Path) -> None:
    """As torchtitan saves it, beside the weights: "state.NAME.exp_avg" under one key."""
    import warnings

    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict
    from torch.distributed.checkpoint.state_dict_saver import save

    from adamcore.backends.checkpoints.folders import read_folder

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.5)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    options = StateDictOptions(flatten_optimizer_state_dict=True)
    flat = get_optimizer_state_dict(model, optimizer, options=options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one process
        save({**model.state_dict(), "optimizer": flat, "lr": {"last": 1}}, checkpoint_id=tmp_path)
    found = read_folder(tmp_path)
    assert found is not None
    assert [(group["lr"], group["params"]) for group in found["param_groups"]] == [(0.5, ["weight", "bias"])]
    for i, name in enumerate(("weight", "bias")):
        theirs = optimizer.state_dict()["state"][i]
        assert set(found["state"][name]) == set(theirs)
        assert all(torch.equal(found["state"][name][part], x) for part, x in theirs.items())
