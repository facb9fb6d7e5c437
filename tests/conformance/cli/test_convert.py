"""`adamcore convert`, from a file of PyTorch's to the arrays of another library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from state_samples import torch_run

from adamcore.backends.states.foreign import FORMATS
from adamcore.conformance.cli import main


def test_convert_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    _, optimizer = torch_run(lambda m: torch.optim.AdamW(m.parameters()))
    torch.save({"optimizer": optimizer.state_dict()}, tmp_path / "run.pt")
    (tmp_path / "names").write_text("0.weight 0.bias 1.weight 1.bias")
    (tmp_path / "map.json").write_text(
        json.dumps(
            {
                "a.kernel": {"from": "0.weight", "axes": [1, 0]},
                "a.bias": "0.bias",
                "b.kernel": "1.weight",
                "b.bias": "1.bias",
            }
        )
    )
    source, target = str(tmp_path / "run.pt"), str(tmp_path / "out.npz")
    assert main(["convert", source, target, "--to", "optax"]) == 1
    assert "--names" in capsys.readouterr().err
    named = ["--names", str(tmp_path / "names"), "--map", str(tmp_path / "map.json")]
    assert main(["convert", source, target, "--to", "optax", "--as", "optax.adamw", *named]) == 0
    assert "4 parameters, optax.adamw, t=4" in capsys.readouterr().out
    flat = np.load(target)
    assert flat["mu.a.kernel"].shape == (3, 2)
    assert main(["convert", source, target, "--to", "keras", "--as", "keras.AdamW", *named]) == 1
    assert "--accept epsilon" in capsys.readouterr().err
    accepted = ["--accept", "epsilon", "--to", "keras", "--as", "keras.AdamW"]
    assert main(["convert", source, target, *accepted, *named]) == 0
    assert main(["convert", source, target, "--to", "jax"]) == 2
    assert set(FORMATS) >= {"adamcore", "torch", "optax", "keras", "tf1", "paddle", "mlx"}
