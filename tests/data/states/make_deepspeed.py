"""The folders of DeepSpeed: stages 1 and 3 of ZeRO with two processes, and the universal form of each."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import recipe
import torch
from recipe_torch import Model, by_name, gradients, settings, step

WORLD = 2
PART = {1: "give the whole folder", 3: "expected 'state' and 'param_groups'"}


def process(rank: int, stage: int, folder: str) -> None:
    """Train in one of the processes, and save."""
    place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD), "LOCAL_SIZE": str(WORLD)}
    os.environ.update(DS_ACCELERATOR="cpu", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(29560 + stage), **place)
    deepspeed = importlib.import_module("deepspeed")  # after the settings above

    model = Model()
    config = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_clipping": 0.0,
        "zero_optimization": {"stage": stage},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    optimizer = torch.optim.AdamW(groups_of(model), **settings())
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    for k in range(recipe.STEPS):
        engine.backward(engine(*gradients(k)))
        engine.step()
    engine.save_checkpoint(folder)


def expected_leaves() -> dict[str, dict[str, Any]]:
    """Return the moments that the same optimizer has without DeepSpeed, whose processes all do the same."""
    model = Model()
    optimizer = torch.optim.AdamW(groups_of(model), **settings())
    for k in range(recipe.STEPS):
        step(model, optimizer, k)
    return by_name(model, optimizer)


def groups_of(model: Model) -> list[dict[str, Any]]:
    """Return a group that decays and one that does not."""
    return [
        {"params": [model.dense.kernel], "weight_decay": recipe.DECAY},
        {"params": [model.dense.bias], "weight_decay": 0.0},
    ]


def main() -> None:
    """Make the folders."""
    manifest = recipe.Manifest("deepspeed", "deepspeed", needs=("torch",))
    shutil.rmtree(manifest.folder)
    manifest.folder.mkdir()
    hyper = {"lr": recipe.LR, "b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}
    expected: dict[str, Any] = {
        "dialect": "torch.AdamW",
        "adam": hyper | {"weight_decay": recipe.DECAY},
        "special": {"dense.bias": {"weight_decay": 0.0}},
    }
    leaves = expected_leaves()
    context = multiprocessing.get_context("spawn")
    for stage in (1, 3):
        folder = manifest.folder / f"stage{stage}"
        arguments = [(rank, stage, str(folder)) for rank in range(WORLD)]
        processes = [context.Process(target=process, args=each) for each in arguments]
        for each in processes:
            each.start()
        for each in processes:
            each.join()
        for script in folder.glob("*.py"):
            script.unlink()
        saved = next(path for path in folder.iterdir() if path.is_dir())
        universal(saved, manifest.folder / f"universal{stage}")
        for file in (f"stage{stage}", f"stage{stage}/{saved.name}", f"universal{stage}"):
            manifest.add(file, leaves, **expected)
        one = f"stage{stage}/{saved.name}/zero_pp_rank_0_mp_rank_00_optim_states.pt"
        manifest.add(one, refused="one process of DeepSpeed's ZeRO")
        manifest.add(f"universal{stage}/zero/dense.bias/exp_avg.pt", refused=PART[stage])
    manifest.write()


def universal(saved: Path, folder: Path) -> None:
    """Make the universal form."""
    command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", "--inject_missing_state"]
    command += ["--input_folder", str(saved), "--output_folder", str(folder)]
    subprocess.run(command, check=True, env=os.environ | {"DS_ACCELERATOR": "cpu"})
    for weights in folder.glob("zero/*/fp32.pt"):  # which no state needs
        weights.unlink()
    for each in (saved, folder):
        (each / "zero_pp_rank_1_mp_rank_00_model_states.pt").unlink(missing_ok=True)  # as that of rank 0
    (folder.parent / "latest_universal").unlink()


if __name__ == "__main__":
    main()
