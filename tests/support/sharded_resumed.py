"""Cases of :mod:`ranks`: a checkpoint of 2 processes, loaded on 2, on 4 and on 1."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ranks import is_thorough, only_on
from sharded_checkpoints import models, train
from sharded_steps import compare
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from adamcore.backends.torch import Adam, AdamW

RUNS: dict[str, tuple[Any, torch.dtype, dict[str, Any]]] = {
    "AdamW": (AdamW, torch.float32, {}),
    "Adam": (Adam, torch.float32, {"weight_decay": 0.1, "amsgrad": True}),
    "global": (AdamW, torch.float32, {"clock": "global"}),
    "NAdam": (Adam, torch.float32, {"dialect": "torch.NAdam"}),
    "split": (AdamW, torch.bfloat16, {"p_storage": "split", "moment_dtype": "float32"}),
    "kahan": (AdamW, torch.bfloat16, {"p_storage": "kahan", "moment_dtype": "float32"}),
    "stochastic": (AdamW, torch.bfloat16, {"p_storage": "stochastic", "moment_dtype": "float32"}),
}
FEW = ("Adam", "split")  #: those that are always run
STEPS = 3


def names() -> Iterable[str]:
    return RUNS if is_thorough() else FEW


def optimizers(name: str) -> tuple[Any, Any, Any]:
    """Return a sharded model, its optimizer, and the optimizer of a whole one."""
    cls, dtype, settings = RUNS[name]
    model, whole = models(dtype)
    return model, cls(model.parameters(), lr=0.1, **settings), cls(whole.parameters(), lr=0.1, **settings)


def folders(folder: Path, name: str) -> list[tuple[Path, StateDictOptions]]:
    """Return where a run is saved, and how: nested and flattened."""
    return [
        (folder / f"{name} {flat}", StateDictOptions(flatten_optimizer_state_dict=flat))
        for flat in (False, True)
    ]


@only_on(2)
def case_it_is_saved(folder: Path) -> None:
    for name in names():
        model, ours, _ = optimizers(name)
        train([ours], STEPS)
        for place, options in folders(folder, name):
            parameters, state = get_state_dict(model, ours, options=options)
            save({"model": parameters, "optim": state}, checkpoint_id=place)


def case_it_is_resumed(folder: Path) -> None:
    for name in names():
        _, _, theirs = optimizers(name)
        train([theirs], STEPS)
        for place, options in folders(folder, name):
            model, ours, _ = optimizers(name)
            parameters, state = get_state_dict(model, ours, options=options)
            load({"model": parameters, "optim": state}, checkpoint_id=place)
            set_state_dict(model, ours, model_state_dict=parameters, optim_state_dict=state, options=options)
            compare(ours, theirs, f"{name} {options}")
            on = copy.deepcopy(theirs)
            train([ours, on], 2, start=STEPS)
            compare(ours, on, f"{name} {options}")
