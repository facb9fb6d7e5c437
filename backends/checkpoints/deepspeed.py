"""Folders of DeepSpeed: what the processes of ZeRO saved, and the universal form.

With ZeRO each process has a slice of every group's parameters, laid end to end.  Which parameters these are,
with their shapes, stands in ``*_model_states.pt`` as ``param_shapes``.  In stages 1 and 2 a group is cut
once, and parameters may have padding behind them.  In stage 3 each parameter is cut by itself.  In the
universal form (``ds_to_universal.py``) each parameter has a folder with ``exp_avg.pt``, ``exp_avg_sq.pt``
and ``fp32.pt``.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adamcore.backends.checkpoints.state_dicts import StateDict
from adamcore.backends.checkpoints.torch_files import load_torch
from adamcore.errors import CheckpointError

PARTS = ("exp_avg", "exp_avg_sq")
Shapes = Sequence[Mapping[str, Sequence[int]]]  #: by the number of a flat array, its parameters


def is_zero(folder: Path) -> bool:
    """True for a folder that the processes of ZeRO wrote."""
    return any(folder.glob("*zero_pp_rank_*_optim_states.pt"))


def is_universal(folder: Path) -> bool:
    """True for a folder of the universal form, or the one named zero in it."""
    return any(parameters_folder(folder).glob(f"*/{PARTS[0]}.pt"))


def parameters_folder(folder: Path) -> Path:
    """Return the folder that has one folder for each parameter."""
    return folder / "zero" if (folder / "zero").is_dir() else folder


def load(path: Path) -> Any:
    """Return the content of a file.

    Raises:
        CheckpointError: it can't be read.
    """
    try:
        return load_torch(path.read_bytes(), str(path))
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error


def read_universal(folder: Path) -> StateDict:
    """Return the state in a folder of the universal form, keyed by names.

    What the folder does not tell is left out: the steps, or the settings of the groups.

    Raises:
        CheckpointError: a parameter lacks a moment, or a file is damaged.
        UserWarning: gradients were clipped.
    """
    inside = parameters_folder(folder)
    about = load(inside / "optimizer_state.pt") if (inside / "optimizer_state.pt").is_file() else {}
    warn_of_clipping(about)
    shapes = param_shapes(inside.parent)
    sizes = {name: size for shape in shapes for name, size in shape.items()}
    state: dict[str, dict[str, Any]] = {}
    for path in sorted(inside.glob(f"*/{PARTS[0]}.pt")):
        name = path.parent.name
        state[name] = {part: parameter(path.with_name(f"{part}.pt"), sizes.get(name)) for part in PARTS}
        step = path.with_name("step.pt")
        state[name] |= {"step": load(step)} if step.is_file() else {}
    base = about.get("optimizer_state_dict") or about.get("base_optimizer_state") or about
    groups = about.get("param_groups") or base.get("param_groups") or []
    if not groups or not shapes:
        own = {k: x for k, x in groups[0].items() if k != "params"} if len(groups) == 1 else {}
        return {"state": state, "param_groups": [own | {"params": list(state)}]}
    for i, each in base.get("state", {}).items():
        for name in shapes[i] if "step" in each else ():
            if name in state:
                state[name].setdefault("step", each["step"])
    return {"state": state, "param_groups": named_groups(groups, shapes, folder)}


def parameter(path: Path, size: Sequence[int] | None) -> Any:
    """Return the tensor in a file of the universal form, whose shape is ``size`` if that is known.

    Raises:
        CheckpointError: it is another file, or has another number of elements, or only a flat array.
    """
    content = load(path)
    flat = not isinstance(content, Mapping)  # as it comes from stage 3
    x = content if flat else content.get("param")
    if not hasattr(x, "numel"):
        raise CheckpointError(f"{path} has no 'param': expected a file of DeepSpeed's universal form")
    if size is None and flat:
        raise CheckpointError(
            f"{path} has a flat array, and its shape is not known: expected *_model_states.pt with "
            "'param_shapes' in the folder above"
        )
    if size is None:
        return x
    if x.numel() != math.prod(size):
        raise CheckpointError(f"{path} has {x.numel()} elements: expected {math.prod(size)}, {tuple(size)}")
    return x.reshape(tuple(size))


def param_shapes(folder: Path) -> Shapes:
    """Return the parameters of each flat array with their shapes; [] if no file has them."""
    for path in sorted(folder.glob("*_model_states.pt")):
        content = load(path)
        if isinstance(content, Mapping) and content.get("param_shapes"):
            found: Shapes = content["param_shapes"]
            return found
    return []


def named_groups(groups: Sequence[Mapping[str, Any]], shapes: Shapes, folder: Path) -> list[dict[str, Any]]:
    """Return the parameter groups with names in place of the numbers of flat arrays.

    Raises:
        CheckpointError: a group has a flat array whose parameters are not known.
    """
    found = []
    for group in groups:
        ids = list(group["params"])
        if any(type(i) is not int or not 0 <= i < len(shapes) for i in ids):
            raise CheckpointError(
                f"{folder} has groups of the arrays {ids}, and the parameters of {len(shapes)}: expected "
                "those of each"
            )
        found.append({**group, "params": [name for i in ids for name in shapes[i]]})
    return found


def read_zero(folder: Path) -> StateDict:
    """Return the state that the processes of ZeRO saved, keyed by names.

    Raises:
        CheckpointError: files are missing or damaged, the model was cut among processes as well, or the
            sizes contradict the shapes.
        UserWarning: gradients were clipped.
    """
    files = sorted(folder.glob("*zero_pp_rank_*_optim_states.pt"), key=ranks)
    if any(ranks(path)[0] for path in files):
        raise CheckpointError(
            f"{folder}: the model itself is cut among processes (mp_rank above 0), which these files do not "
            "describe in full: convert the folder to DeepSpeed's universal form first (ds_to_universal.py)"
        )
    shapes = param_shapes(folder)
    if not shapes:
        raise CheckpointError(
            f"{folder} has no *_model_states.pt with 'param_shapes', which say which parameters the slices "
            "are: expected it beside them"
        )
    saved = [load(path)["optimizer_state_dict"] for path in files]
    warn_of_clipping(saved[0])
    counts = saved[0].get("partition_count", len(files))
    world = max(counts) if isinstance(counts, (list, tuple)) else int(counts)
    if world != len(files):
        raise CheckpointError(f"{folder} has the files of {len(files)} processes: expected those of {world}")
    by_parameter = "fp32_flat_groups" in saved[0]  # stage 3
    base = [each.get("optimizer_state_dict" if by_parameter else "base_optimizer_state") for each in saved]
    if not all(isinstance(each, Mapping) and {"state", "param_groups"} <= set(each) for each in base):
        raise CheckpointError(
            f"{folder} has moments without their settings (DeepSpeed's elastic form): convert it to the "
            "universal form first (ds_to_universal.py)"
        )
    paddings = saved[0].get("param_alignment_paddings")
    state: dict[str, dict[str, Any]] = {}
    for i, shape in enumerate(shapes):
        slices = [each["state"].get(i) for each in base]
        if not all(slices):
            continue
        for part in (*PARTS, "max_exp_avg_sq"):
            if part in slices[0]:
                flat = [each[part] for each in slices]
                padding = paddings[i] if paddings else None
                cut = cut_each(flat, shape) if by_parameter else cut_once(flat, shape, padding, folder)
                for name, x in cut.items():
                    state.setdefault(name, {})[part] = x
        for name in shape:
            state[name] |= {"step": slices[0]["step"]} if "step" in slices[0] else {}
    return {"state": state, "param_groups": named_groups(base[0]["param_groups"], shapes, folder)}


def warn_of_clipping(about: Mapping[str, Any]) -> None:
    """Warn that the norm at which gradients were clipped is left out, if there is one."""
    norm = about.get("clip_grad")
    if isinstance(norm, (int, float)) and norm > 0:
        warnings.warn(
            f"gradients were clipped at a norm of {norm:g}, which is no part of Adam's state and is left "
            "out: clip them in the program that goes on",
            stacklevel=4,
        )


def ranks(path: Path) -> tuple[int, int]:
    """Return which slice of the model and which of the data a file belongs to.

    >>> ranks(Path("bf16_zero_pp_rank_10_mp_rank_02_optim_states.pt"))
    (2, 10)
    """
    found = re.search(r"zero_pp_rank_(\d+)_mp_rank_(\d+)", path.name)
    return (int(found[2]), int(found[1])) if found else (0, 0)


def cut_once(
    slices: Sequence[Any], shape: Mapping[str, Sequence[int]], padding: Sequence[int] | None, folder: Path
) -> dict[str, Any]:
    """Return the parameters in a group that was laid end to end and then cut.

    Raises:
        CheckpointError: more or less is there than the shapes say, beyond the padding at the end.
    """
    import torch

    flat, start, found = torch.cat(list(slices)), 0, {}
    for k, (name, size) in enumerate(shape.items()):
        number = math.prod(size)
        found[name] = flat[start : start + number]
        start += number + (padding[k] if padding else 0)
    unit = 2 * len(slices)  # to which DeepSpeed rounds up
    if -(-start // unit) != -(-len(flat) // unit):
        raise CheckpointError(
            f"{folder}: {len(flat)} elements for parameters of {start}: expected as many; convert the folder "
            "to DeepSpeed's universal form (ds_to_universal.py)"
        )
    return {name: x.reshape(tuple(shape[name])).clone() for name, x in found.items()}


def cut_each(slices: Sequence[Any], shape: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the parameters of which each was cut by itself, the last slice filled up.

    >>> import torch
    >>> cut_each([torch.tensor([1, 2]), torch.tensor([3, 0])], {"w": (3,)})
    {'w': tensor([1, 2, 3])}
    """
    import torch

    start, found = 0, {}
    for name, size in shape.items():
        number = math.prod(size)
        width = -(-number // len(slices))
        whole = torch.cat([each[start : start + width] for each in slices])
        if len(whole) < number:
            raise CheckpointError(f"{name}: {len(whole)} elements for shape {tuple(size)}: expected {number}")
        found[name] = whole[:number].reshape(tuple(size))
        start += width
    return found
