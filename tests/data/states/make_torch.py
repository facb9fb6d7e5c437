"""The files of PyTorch: a state keyed by names, as two processes save it.

LeRobot's pair of files is written as its ``save_optimizer_state`` does, from the same optimizer.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import recipe
import torch
from recipe_torch import Model, by_name, settings, step
from torch import distributed
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

FLAGS = ("foreach", "capturable", "differentiable", "fused", "maximize")


def trained(sharded: bool = False) -> tuple[Model, torch.optim.Optimizer]:
    """Return a model after some steps: AMSGrad, and a bias that does not decay and has half the rate."""
    model = Model()
    if sharded:
        fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    groups = [
        {"params": [model.dense.kernel], "weight_decay": recipe.DECAY},
        {"params": [model.dense.bias], "weight_decay": 0.0, "lr": recipe.LR / 2},
    ]
    optimizer = torch.optim.AdamW(groups, amsgrad=True, **settings())
    for k in range(recipe.STEPS):
        step(model, optimizer, k)
    return model, optimizer


def process(rank: int, folder: str) -> None:
    """Save a model that is sharded over two processes."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29571", RANK=str(rank), WORLD_SIZE="2")
    distributed.init_process_group("gloo")
    model, optimizer = trained(sharded=True)
    content = {"optimizer": without_flags(get_optimizer_state_dict(model, optimizer)), "epoch": 3}
    save(content, checkpoint_id=f"{folder}/distributed")
    distributed.destroy_process_group()


def without_flags(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state without settings that say nothing here, of which each takes a thousand bytes on disk."""
    for group in state["param_groups"]:
        for key in FLAGS:
            del group[key]
    return state


def lerobot(state_dict: dict[str, Any], folder: Path) -> None:
    """Write the two files of LeRobot."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    flat = {
        f"state/{i}/{part}": x.contiguous()
        for i, each in state_dict["state"].items()
        for part, x in each.items()
    }
    save_file(flat, folder / "optimizer_state.safetensors")
    groups = json.dumps(state_dict["param_groups"], indent=4)
    (folder / "optimizer_param_groups.json").write_text(groups, encoding="utf-8")


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("torch", "torch", needs=("torch",))
    folder = manifest.folder
    for old in folder.glob("*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    model, optimizer = trained()
    lerobot(optimizer.state_dict(), folder / "training_state")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=process, args=(rank, str(folder))) for rank in range(2)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    leaves = by_name(model, optimizer)
    hyper = {"lr": recipe.LR, "b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}
    expected: dict[str, Any] = {
        "dialect": "torch.AdamW",
        "adam": hyper | {"weight_decay": recipe.DECAY, "amsgrad": "uncorrected"},
        "special": {"dense.bias": {"lr": recipe.LR / 2, "weight_decay": 0.0}},
    }
    manifest.add("distributed", leaves, **expected)
    for file in ("training_state", "training_state/optimizer_state.safetensors"):
        manifest.add(file, leaves, read={"names": list(recipe.SHAPES)}, **expected)
    manifest.write()


if __name__ == "__main__":
    main()
