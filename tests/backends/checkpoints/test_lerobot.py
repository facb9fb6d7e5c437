"""LeRobot's two files: tensors by id, and the groups beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adamcore.backends.checkpoints.lerobot import GROUPS, is_lerobot, read_lerobot
from adamcore.errors import CheckpointError

TENSORS = {f"state/{i}/{part}": i for i in (10, 9) for part in ("step", "exp_avg", "exp_avg_sq")}


def test_the_groups_lie_beside_the_tensors(tmp_path: Path) -> None:
    assert is_lerobot(TENSORS)
    assert not is_lerobot({})
    assert not is_lerobot(TENSORS | {"w": 1})
    path = tmp_path / "optimizer_state.safetensors"
    alone = read_lerobot(TENSORS, path)
    assert alone["param_groups"] == [{"params": [9, 10]}]
    assert alone["state"][10] == {"step": 10, "exp_avg": 10, "exp_avg_sq": 10}
    (tmp_path / GROUPS).write_text('[{"lr": 0.5, "params": [10]}, {"lr": 1, "params": [9]}]')
    assert [group["params"] for group in read_lerobot(TENSORS, path)["param_groups"]] == [[10], [9]]
    for text, said in (("[", "can't be read"), ('{"lr": 1}', "no list of groups")):
        (tmp_path / GROUPS).write_text(text)
        with pytest.raises(CheckpointError, match=said):
            read_lerobot(TENSORS, path)
