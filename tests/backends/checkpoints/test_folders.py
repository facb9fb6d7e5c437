"""Which file or folder inside a trainer's folder holds the optimizer's state."""

from __future__ import annotations

from pathlib import Path

import pytest
from paths import ROOT

from adamcore.backends.checkpoints.folders import place_in, read_folder
from adamcore.errors import CheckpointError

FILES = ROOT / "tests" / "data" / "states" / "files"


@pytest.mark.parametrize(
    ("made", "asked", "place"),
    [
        (("optimizer.pt", "model.safetensors"), ".", "optimizer.pt"),  # Hugging Face's Trainer
        (("optimizer.bin", "random_states_0.pkl"), ".", "optimizer.bin"),  # Accelerate
        (("optimizer_0/.metadata",), ".", "optimizer_0"),  # Accelerate with FSDP
        (("training_state/optimizer_state.safetensors",), ".", "training_state/optimizer_state.safetensors"),
        (("training_state/optimizer_state.safetensors",), "training_state", "optimizer_state.safetensors"),
        (("zero/w/exp_avg.pt",), ".", "."),
        (("zero_pp_rank_0_mp_rank_00_optim_states.pt",), ".", "."),
        (("other.pt",), ".", "."),
    ],
)
def test_where_trainers_keep_it(tmp_path: Path, made: tuple[str, ...], asked: str, place: str) -> None:
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert place_in(tmp_path / asked) == tmp_path / asked / place


def test_the_latest_of_deepspeed(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("global_step3\n")
    (tmp_path / "global_step3").mkdir()
    assert place_in(tmp_path) == tmp_path / "global_step3"
    (tmp_path / "latest").write_text("../elsewhere")
    assert place_in(tmp_path) == tmp_path


def test_several_are_named(tmp_path: Path) -> None:
    for name in ("optimizer.bin", "optimizer_1.bin"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"has optimizer.bin, optimizer_1.bin: expected one"):
        place_in(tmp_path)


def test_another_folder_is_left_to_others(tmp_path: Path) -> None:
    assert read_folder(tmp_path) is None
    pytest.importorskip("torch")
    distributed = FILES / "torch" / "distributed"
    assert read_folder(distributed, "optimizer") is not None
    with pytest.raises(CheckpointError, match="no one optimizer at 'epoch'"):
        read_folder(distributed, "epoch")
