"""What a checkpoint does not tell is asked for, and what it tells is not overridden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore.backends.states.foreign import read
from adamcore.errors import CheckpointError

torch = pytest.importorskip("torch")


def lerobot(folder: Path, *, step: bool = True, maxima: bool = False) -> Path:
    from safetensors.torch import save_file

    each = {"exp_avg": torch.ones(3), "exp_avg_sq": torch.full((3,), 2.0)}
    each |= {"step": torch.tensor(3.0)} if step else {}
    each |= {"max_exp_avg_sq": torch.full((3,), 4.0)} if maxima else {}
    save_file({f"state/0/{key}": x for key, x in each.items()}, folder / "optimizer_state.safetensors")
    return folder


def test_what_is_not_told_is_asked_for(tmp_path: Path) -> None:
    folder = lerobot(tmp_path, step=False, maxima=True)
    with pytest.raises(CheckpointError, match=r"does not tell its Adam .*--dialect\) nor its clock .*--t N"):
        read(folder, by_position=True)
    known: dict[str, Any] = {"dialect": "torch.AdamW", "hyper": {"lr": 0.5, "b2": 0.9}, "names": ["w"]}
    with pytest.raises(CheckpointError, match=r"does not tell its clock \(t="):
        read(folder, **known)
    state = read(folder, t=7, **known)
    assert (state.adam.lr, state.adam.b2, state.adam.weight_decay) == (0.5, 0.9, 1e-2)
    assert (state.adam.amsgrad, state.leaves["w"].t) == ("uncorrected", 7)
    v_max = state.leaves["w"].v_max
    assert v_max is not None
    assert np.array_equal(v_max, np.full(3, 4.0))
    known["hyper"] = {"missing": "zero"}
    assert read(folder, t=7, **known).adam.missing == "zero"
    with pytest.raises(CheckpointError, match="no clock for '0'"):
        read(folder, t={"w": 7}, **known)


def test_what_is_no_adam_is_not_asked_for_a_clock(tmp_path: Path) -> None:
    w = torch.nn.Parameter(torch.ones(3))
    w.grad = torch.ones(3)
    sgd = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    sgd.step()
    torch.save(sgd.state_dict(), tmp_path / "sgd.pt")
    with pytest.raises(CheckpointError, match=r"state of 0 has 'momentum_buffer': .*this is no Adam"):
        read(tmp_path / "sgd.pt", by_position=True)


def test_a_file_that_was_cut_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save({"w": torch.ones(99)}, path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"run\.pt is damaged, or cut: it begins as a zip file"):
        read(path)


def test_what_is_told_is_not_overridden(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="tells its own clocks: expected no t"):
        read(lerobot(tmp_path), dialect="torch.AdamW", by_position=True, t=3)
    w = torch.nn.Parameter(torch.ones(3))
    w.grad = torch.ones(3)
    optimizer = torch.optim.Adam([w])
    optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="tells its own hyperparameters: expected no lr, t"):
        read(tmp_path / "run.pt", by_position=True, hyper={"lr": 1.0}, t=3)
    with pytest.raises(CheckpointError, match="is a checkpoint of PyTorch's: expected one of mlx's"):
        read(tmp_path / "run.pt", "mlx")
    with pytest.raises(CheckpointError, match="no one optimizer at 'opt"):
        read(tmp_path / "run.pt", key="optimizer_states.1")
    np.savez(tmp_path / "run.npz", **{"w.m": np.ones(2), "w.v": np.ones(2), "step": np.asarray(3)})  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no checkpoint of PyTorch's"):
        read(tmp_path / "run.npz", "torch")
    with pytest.raises(CheckpointError, match="holds one state: expected no key"):
        read(tmp_path / "run.npz", key="a")
