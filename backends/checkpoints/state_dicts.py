"""The ``state_dict`` of an optimizer in its three forms, and where it lies in a checkpoint.

PyTorch numbers the parameters (``state_dict()``), or keys them by their names in the model
(``get_optimizer_state_dict``, FSDP).  With ``flatten_optimizer_state_dict`` there is no nesting: the keys are
``state.NAME.exp_avg`` and ``param_groups.NAME.lr``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adamcore.errors import CheckpointError

StateDict = Mapping[str, Any]  #: with "state" and "param_groups"
STATE, GROUPS = "state.", "param_groups."
SHOWN = 12  #: optimizers that a message lists


def as_state_dict(content: Any) -> StateDict | None:
    """Return an optimizer's ``state_dict`` with "state" and "param_groups"; None if ``content`` is none.

    >>> flat = {"state.a.w.step": 3, "param_groups.a.w.lr": 0.1, "param_groups.b.lr": 0.1}
    >>> as_state_dict(flat)["param_groups"]
    [{'lr': 0.1, 'params': ['a.w', 'b']}]
    """
    if not isinstance(content, Mapping):
        return None
    if {"state", "param_groups"} <= set(content):
        groups = content["param_groups"]
        nested = isinstance(groups, (list, tuple)) and all(
            isinstance(group, Mapping) and "params" in group for group in groups
        )
        return content if nested and isinstance(content["state"], Mapping) else None
    keys = [key for key in content if isinstance(key, str) and key.startswith((STATE, GROUPS))]
    if not keys or len(keys) != len(content) or not any(key.startswith(GROUPS) for key in keys):
        return None
    return unflattened(content)


def check_form(state_dict: StateDict) -> None:
    """Raise CheckpointError if a part of a ``state_dict`` is of another kind than PyTorch writes."""
    for number, group in enumerate(state_dict["param_groups"]):
        ids, names = group["params"], group.get("param_names", [])
        if not isinstance(ids, (list, tuple)) or not all(isinstance(i, (int, str)) for i in ids):
            raise CheckpointError(
                f"the parameters of group {number} are {repr(ids)[:80]}: expected a list of numbers or names"
            )
        if not isinstance(names, (list, tuple)) or not all(isinstance(x, str) or x is None for x in names):
            raise CheckpointError(
                f"'param_names' of group {number} is {repr(names)[:80]}: expected a list of names"
            )
    for i, each in state_dict["state"].items():
        if not isinstance(each, Mapping):
            raise CheckpointError(f"the state of parameter {i} is {repr(each)[:80]}: expected a dictionary")


def unflattened(flat: Mapping[str, Any]) -> StateDict:
    """Return a flattened ``state_dict`` nested, keyed by names, a group for each set of settings."""
    state: dict[str, dict[str, Any]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        where, start = (state, STATE) if key.startswith(STATE) else (settings, GROUPS)
        name, _, part = key[len(start) :].rpartition(".")
        where.setdefault(name, {})[part] = value
    groups: dict[str, dict[str, Any]] = {}
    for name, own in settings.items():
        groups.setdefault(repr(own), own | {"params": []})["params"].append(name)
    return {"state": state, "param_groups": list(groups.values())}


def find_optimizers(content: Any) -> dict[str, StateDict]:
    """Return the optimizers in a checkpoint, by where they lie: keys and indices, with dots.

    >>> list(find_optimizers({"epoch": 3, "optimizer_states": [{"state": {}, "param_groups": []}]}))
    ['optimizer_states.0']
    """
    seen: set[int] = set()

    def walk(node: Any, path: str) -> Iterator[tuple[str, StateDict]]:
        if not isinstance(node, (Mapping, list, tuple)) or id(node) in seen:
            return
        seen.add(id(node))
        found = as_state_dict(node)
        if found is not None:
            yield path, found
            return
        items = node.items() if isinstance(node, Mapping) else enumerate(node)
        for key, value in items:
            yield from walk(value, f"{path}.{key}" if path else str(key))

    return dict(walk(content, ""))


def choose_optimizer(content: Any, where: str, key: str | None = None) -> StateDict:
    """Return the one optimizer in a checkpoint, or the one that lies at ``key``.

    Args:
        content: what the file or the folder holds.
        where: its name, for messages.
        key: where the optimizer lies, as :func:`find_optimizers` names it, or the beginning of that.

    Raises:
        CheckpointError: there is none, or there are several and ``key`` does not choose one.
    """
    refuse_partition(content, where)
    found = find_optimizers(content)
    chosen = found if key is None else {path: x for path, x in found.items() if is_at(path, key)}
    if len(chosen) == 1:
        return next(iter(chosen.values()))
    if not found:
        keys = list(map(str, content)) if isinstance(content, Mapping) else [type(content).__name__]
        shown = ", ".join(map(repr, keys[:SHOWN])) + (" and more" if len(keys) > SHOWN else "")
        raise CheckpointError(
            f"no state_dict of an optimizer in {where}, which has {shown or 'nothing'}: expected 'state' and "
            "'param_groups', in the file or under one of its keys"
        )
    listing = "\n".join(f"  {path}: {about(x)}" for path, x in list(found.items())[:SHOWN])
    more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    came = f"{len(found)} optimizers" if key is None else f"no one optimizer at {key!r}"
    raise CheckpointError(
        f"{came} in {where}:\n{listing}{more}\nexpected one; choose it by its key (key=, on the command line "
        "--key KEY)"
    )


def is_at(path: str, key: str) -> bool:
    """True if an optimizer at ``path`` is the one at ``key`` or lies below it."""
    return path == key or path.startswith(f"{key}.")


def about(state_dict: StateDict) -> str:
    """Return a line on an optimizer: how many parameters it has, and what it keeps for them."""
    groups = [group["params"] for group in state_dict["param_groups"]]
    number = sum(len(ids) for ids in groups if isinstance(ids, (list, tuple)))
    entries = [each for each in state_dict["state"].values() if isinstance(each, Mapping)]
    kept = dict.fromkeys(str(part) for each in entries for part in each)
    return f"{number} parameters; state: {', '.join(list(kept)[:6]) or 'none'}"


def refuse_partition(content: Any, where: str) -> None:
    """Raise CheckpointError if this is one part of what DeepSpeed saved."""
    inner = content.get("optimizer_state_dict", content) if isinstance(content, Mapping) else None
    if isinstance(inner, Mapping) and {"single_partition_of_fp32_groups", "fp32_flat_groups"} & set(inner):
        raise CheckpointError(
            f"{where} is what one process of DeepSpeed's ZeRO saved, flat slices without names: give the "
            "folder with the files of all processes, or its universal form (ds_to_universal.py)"
        )
    if isinstance(content, Mapping) and "param" in content and where.endswith((".pt", ".pth")):
        raise CheckpointError(
            f"{where} is one array of one parameter in DeepSpeed's universal form: give the whole folder, "
            "the one that has 'zero'"
        )
