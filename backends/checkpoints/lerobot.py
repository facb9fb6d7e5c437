"""States of PyTorch in two files, as LeRobot writes them: the tensors in safetensors, the groups in JSON.

The tensors are called ``state/ID/exp_avg``; the groups lie beside them, in
``optimizer_param_groups.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adamcore.backends.checkpoints.state_dicts import StateDict
from adamcore.errors import CheckpointError

STATE, GROUPS = "optimizer_state.safetensors", "optimizer_param_groups.json"


def is_lerobot(names: Mapping[str, Any]) -> bool:
    """True for tensors with these names.

    >>> is_lerobot({"state/0/exp_avg": 1, "state/0/step": 1}), is_lerobot({"w.m": 1})
    (True, False)
    """
    return bool(names) and all(re.fullmatch(r"state/[^/]+/[^/]+", name) for name in names)


def read_lerobot(tensors: Mapping[str, Any], path: Path) -> StateDict:
    """Return the state in such tensors; without the file of the groups it has one group without settings.

    Args:
        tensors: those of the file, by name.
        path: the file.

    Raises:
        CheckpointError: the file of the groups is damaged.
    """
    state: dict[Any, dict[str, Any]] = {}
    for name, x in tensors.items():
        _, i, part = name.split("/")
        state.setdefault(int(i) if i.isdigit() else i, {})[part] = x
    beside = path.with_name(GROUPS)
    try:
        groups = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"state": state, "param_groups": [{"params": sorted(state, key=lambda i: (str(type(i)), i))}]}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{beside} can't be read: {error}") from error
    if not isinstance(groups, list) or not all(isinstance(g, dict) and "params" in g for g in groups):
        raise CheckpointError(f"{beside} holds no list of groups with 'params': expected LeRobot's file")
    return {"state": state, "param_groups": groups}
