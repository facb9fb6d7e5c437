"""The order of a target: a state arranged as another checkpoint, a model's weights or a list of names has it.

Names decide where they are the same on both sides, then shapes that only one parameter has.  What neither can
tell goes by position, if that is asked for, and it is said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adamcore.backends.checkpoints.folders import place_in, read_folder
from adamcore.backends.checkpoints.state_dicts import StateDict, choose_optimizer, find_optimizers
from adamcore.backends.checkpoints.torch_files import is_torch, load_torch
from adamcore.backends.io.safetensors import decode
from adamcore.backends.states.files import PARTS, read_bytes
from adamcore.backends.states.foreign import read
from adamcore.backends.states.named import NamedState, listed
from adamcore.backends.states.quantized import plain_entry
from adamcore.backends.states.torch_names import own_names
from adamcore.errors import AdamcoreError, CheckpointError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Target:
    """What a conversion is to be arranged like.

    Attributes:
        names: the parameters' names in their order; numbers if the target only numbers them.
        shapes: by name, the shapes that are known.
        numbered: True if the names are only numbers.
        state_dict: that of an optimizer of PyTorch's, whose groups the result gets; None if it is none.
    """

    names: list[str]
    shapes: Mapping[str, Shape]
    numbered: bool = False
    state_dict: StateDict | None = None


def read_target(path: str | os.PathLike[str], key: str | None = None) -> Target:
    """Return the target in a file or a folder: a checkpoint, a model's weights, or one name a line.

    Args:
        path: the file or the folder.
        key: where the optimizer lies, if there are several.

    Raises:
        CheckpointError: it can't be read, or has no names.
    """
    place = place_in(Path(path)) if os.path.isdir(path) else Path(path)
    if os.path.isdir(place):
        found = read_folder(place, key)
        return of_state_dict(found) if found is not None else of_state(read(path))
    data = read_bytes(place)
    if is_torch(data):
        content = load_torch(data, str(path))
        optimizers = find_optimizers(content)
        if optimizers:
            return of_state_dict(choose_optimizer(content, str(path), key if len(optimizers) > 1 else None))
        return of_shapes(weights_in(content), path)
    if data[8:9] == b"{":
        tensors, metadata = decode(data, str(path), CheckpointError)
        if "adamcore" not in metadata and not any(name.startswith(PARTS) for name in tensors):
            return of_shapes({name: x.shape for name, x in tensors.items()}, path)
    try:
        names = data.decode("utf-8").split()
    except UnicodeDecodeError:
        names = []
    if names and all(name.isprintable() for name in names):
        return Target(names, {})
    try:
        return of_state(read(path))
    except AdamcoreError as error:
        raise CheckpointError(f"{path} tells no order (--like): {error}") from error


def of_state_dict(state_dict: StateDict) -> Target:
    """Return the target that an optimizer's ``state_dict`` is."""
    groups, state = state_dict["param_groups"], state_dict["state"]
    order = [i for group in groups for i in group["params"]]
    own = own_names(groups)
    names = [str(k) for k in range(len(order))] if own is None else own
    shapes: dict[str, Shape] = {}
    for i, name in zip(order, names, strict=True):
        entry, _ = plain_entry(state.get(i) or state.get(str(i)) or {}, name)
        shapes |= {name: tuple(entry["exp_avg"].shape)} if "exp_avg" in entry else {}
    return Target(names, shapes, own is None, state_dict)


def of_state(state: NamedState) -> Target:
    """Return the target that a state is."""
    shapes = {name: leaf.m.shape for name, leaf in state.leaves.items()}
    return Target(list(shapes), shapes, all(name.isdigit() for name in shapes))


def of_shapes(shapes: Mapping[str, Shape], path: str | os.PathLike[str]) -> Target:
    """Return the target that a model's weights are.

    Raises:
        CheckpointError: there are none.
    """
    if not shapes:
        raise CheckpointError(f"{path} has neither an optimizer nor weights by their names: expected either")
    return Target(list(shapes), shapes)


def weights_in(content: Any) -> dict[str, Shape]:
    """Return the names and shapes of the tensors in the largest dictionary of tensors of a checkpoint."""
    if not isinstance(content, Mapping):
        return {}
    here = {str(name): tuple(x.shape) for name, x in content.items() if hasattr(x, "shape")}
    return max([here, *map(weights_in, content.values())], key=len)


def arranged_like(
    state: NamedState, target: Target, *, by_position: bool = False
) -> tuple[NamedState, list[str]]:
    """Return a state with the names and in the order of a target, and what is to be said of it.

    Args:
        state: the state.
        target: what it is to be like.
        by_position: if True, parameters that neither names nor shapes tell apart are matched in their order.

    Raises:
        CheckpointError: a parameter of the state has no place, or another shape there, or several places.
    """
    notes: list[str] = []
    both = [name for name in state.leaves if name in set(target.names)]
    if both and not target.numbered:
        extra = [name for name in state.leaves if name not in set(target.names)]
        if extra:
            raise CheckpointError(
                f"the target (--like) has no {listed(extra)}, and has {len(both)} of the other names: "
                "expected all; rename them (--map)"
            )
        places = {name: name for name in both}
    else:
        places, notes = by_shape(state, target, by_position)
    old = {new: name for name, new in places.items()}
    leaves = {new: state.leaves[old[new]] for new in target.names if new in old}
    for new, leaf in leaves.items():
        if new in target.shapes and target.shapes[new] != leaf.m.shape:
            raise CheckpointError(
                f"{new} has shape {target.shapes[new]} in the target (--like), its moments {leaf.m.shape}: "
                "expected the same; rename it with axes (--map)"
            )
    special = {new: state.special[old[new]] for new in leaves if old[new] in state.special}
    lacking = [name for name in target.names if name not in leaves]
    if lacking:
        notes.append(f"{len(lacking)} names of the target have no state: {listed(lacking)}")
    return replace(state, leaves=leaves, special=special), notes


def by_shape(state: NamedState, target: Target, by_position: bool) -> tuple[dict[str, str], list[str]]:
    """Return the place of each parameter by its shape, and what is to be said of it.

    Raises:
        CheckpointError: shapes do not tell the places.
    """
    if not target.shapes and len(target.names) == len(state.leaves) and by_position:
        note = f"matched by their position alone: {len(state.leaves)} parameters"
        return dict(zip(state.leaves, target.names, strict=True)), [note]
    here: dict[Shape, list[str]] = {}
    there: dict[Shape, list[str]] = {}
    for name, leaf in state.leaves.items():
        here.setdefault(leaf.m.shape, []).append(name)
    for name in target.names:
        if name in target.shapes:
            there.setdefault(target.shapes[name], []).append(name)
    for shape, names in here.items():
        others = there.get(shape, [])
        if len(others) != len(names):
            raise CheckpointError(
                f"the names differ, and so do the shapes: {len(names)} parameters of shape {shape} "
                f"({listed(names)}), and {len(others)} in the target (--like); expected as many; give a map "
                "of names (--map)"
            )
    alike = [name for names in here.values() if len(names) > 1 for name in names]
    if alike and not by_position:
        raise CheckpointError(
            f"the names differ, and {len(alike)} parameters have a shape that others have too "
            f"({listed(alike)}): give a map of names (--map), or match these in their order (--by-position)"
        )
    places = {a: b for shape, names in here.items() for a, b in zip(names, there[shape], strict=True)}
    notes = [f"matched by their shapes: {len(places) - len(alike)} parameters"]
    notes += [f"of the same shape as others, matched in their order: {listed(alike)}"] * bool(alike)
    return places, notes
