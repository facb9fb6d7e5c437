"""States in checkpoints of programs that train with PyTorch, completed by what a checkpoint does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adamcore.axes import AXES
from adamcore.backends.checkpoints.folders import read_folder
from adamcore.backends.checkpoints.lerobot import is_lerobot, read_lerobot
from adamcore.backends.checkpoints.state_dicts import StateDict, choose_optimizer
from adamcore.backends.checkpoints.torch_files import is_torch, load_torch
from adamcore.backends.io.safetensors import decode
from adamcore.backends.states.files import from_file_arrays
from adamcore.backends.states.named import NamedState
from adamcore.backends.states.torch import from_torch
from adamcore.backends.states.torch_groups import group_of
from adamcore.dialects import dialect as dialect_named
from adamcore.errors import CheckpointError

SETTINGS = ("betas", "adamw_betas")  #: keys of which every group of Adam's has one


def open_checkpoint(path: Path, data: bytes | None, key: str | None) -> StateDict | None:
    """Return the optimizer's ``state_dict`` in a checkpoint; None if it is of another kind.

    Args:
        path: the file or the folder.
        data: the content of the file; None for a folder.
        key: where the optimizer lies, if there are several.

    Raises:
        CheckpointError: the checkpoint is damaged, or has no optimizer or several.
    """
    if data is None:
        return read_folder(path, key)
    if is_torch(data):
        return choose_optimizer(load_torch(data, str(path)), str(path), key)
    if data[8:9] == b"{" and is_lerobot(tensors := decode(data, str(path), CheckpointError)[0]):
        return read_lerobot(from_file_arrays(tensors, str(path)), path)
    return None


def checkpoint_state(
    saved: StateDict,
    where: str,
    names: Iterable[str] | None,
    *,
    by_position: bool,
    dialect: str | None,
    hyper: Mapping[str, Any] | None,
    t: int | Mapping[str, int] | None,
) -> NamedState:
    """Return the state in a ``state_dict``, completed by what it does not tell.

    Args:
        saved: what :func:`open_checkpoint` returned.
        where: the name of the checkpoint, for messages.
        names, by_position, dialect, hyper, t: as for :func:`foreign.read`.

    Raises:
        CheckpointError: something is not told, or is given although the checkpoint tells it.
    """
    state, groups = saved["state"], saved["param_groups"]
    lacks_settings = not any(key in group for group in groups for key in SETTINGS)
    lacks_settings = lacks_settings and all(set(group) <= {"params"} for group in groups)
    has_moments = any(
        "exp_avg" in each for each in state.values()
    )  # else it is no Adam's: from_torch says so
    lacks_step = has_moments and not any("step" in each for each in [*state.values(), *groups])
    needed = [f"its Adam (dialect={dialect or 'torch.AdamW'!r}, --dialect)"] * (
        lacks_settings and not dialect
    )
    needed += ["its clock (t=, --t N)"] * (lacks_step and t is None)
    if needed:
        raise CheckpointError(
            f"{where} has moments and does not tell {' nor '.join(needed)}: give it"
            + (", with the hyperparameters (hyper=, --set lr=... --set weight_decay=...)" * lacks_settings)
        )
    given = [*(hyper or {})] * (not lacks_settings) + ["t"] * (t is not None and not lacks_step)
    if given:
        raise CheckpointError(
            f"{where} tells its own {'clocks' if given == ['t'] else 'hyperparameters'}: expected no "
            f"{', '.join(given)} (--set, --t)"
        )
    if lacks_step:
        state = {name: {**each, "step": clock(t, str(name))} for name, each in state.items()}
    if lacks_settings and dialect is not None:
        maxima = any("max_exp_avg_sq" in each for each in state.values())
        own = {"lr": 1e-3, **({"amsgrad": "uncorrected"} if maxima else {}), **(hyper or {})}
        adam = dialect_named(dialect).adam(**own)
        groups = [group_of(adam) | group for group in groups]
    found = from_torch(
        {"state": state, "param_groups": groups}, names, dialect=dialect, by_position=by_position
    )
    axes = {name: x for name, x in (hyper or {}).items() if name in AXES}
    return replace(found, adam=replace(found.adam, **axes)) if axes else found


def clock(t: int | Mapping[str, int] | None, name: str) -> int:
    """Return the clock that is given for one parameter.

    Raises:
        CheckpointError: there is none.
    """
    if isinstance(t, Mapping):
        if name not in t:
            raise CheckpointError(f"t has no clock for {name!r}: expected one for each parameter")
        return t[name]
    assert t is not None
    return t
