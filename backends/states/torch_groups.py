"""The parameter groups in a ``state_dict`` of PyTorch's: their Adam, and their hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.axes import AXES
from adamcore.backends.states.fitting import differences
from adamcore.backends.states.named import NamedState, listed
from adamcore.backends.states.quantized import WRAPPED
from adamcore.config import MOMENT_DTYPES, STORAGE
from adamcore.dialects import dialect as dialect_named
from adamcore.errors import CheckpointError, ConversionError

#: By adamcore's name, the names in a group (Muon's programs call Adam's so), and the value if there is none.
SETTINGS = (
    ("lr", ("lr",), None),
    ("betas", ("betas", "adamw_betas"), None),
    ("eps", ("eps", "adamw_eps"), None),
    ("weight_decay", ("weight_decay", "wd"), 0.0),
)
HYPER = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay", "lr_max")


def dialect_of_keys(group: Mapping[str, Any], each: Mapping[str, Any]) -> str:
    """Return the dialect that the keys of a group and of a parameter's state tell; "" for our own class.

    Raises:
        CheckpointError: the keys do not tell it.
    """
    if is_ours(group):
        return ""
    if "momentum_decay" in group:
        return "torch.NAdam"
    if "decoupled_weight_decay" in group:
        return "torch.AdamW" if flag(group, "decoupled_weight_decay") else "torch.Adam"
    if "bias_correction" in group and "step" in group:
        return "apex.FusedAdam"
    if "bias_correction" in group and "step" in each:
        return "deepspeed.CPUAdam" if "amsgrad" in group else "deepspeed.FusedAdam"
    if WRAPPED in each or "state1" in each:
        raise CheckpointError(
            "a state of bitsandbytes' does not tell Adam from AdamW, nor the CPU from CUDA, where decay "
            "comes after the update: give dialect='bitsandbytes.AdamW', 'bitsandbytes.Adam' or "
            "'bitsandbytes-cuda.AdamW' (--dialect)"
        )
    if hasattr(each.get("exp_avg"), "codes"):
        raise CheckpointError(
            "a quantised state of torchao's does not tell Adam from AdamW: give dialect='torchao.AdamW' or "
            "'torchao.Adam' (--dialect)"
        )
    raise CheckpointError(
        f"a group with {listed(group, 12)} does not tell whose Adam it is: expected 'decoupled_weight_decay' "
        "(torch.optim) or 'bias_correction' (Apex, DeepSpeed); give dialect='torch.AdamW' or another row "
        "(--dialect)"
    )


def is_ours(group: Mapping[str, Any]) -> bool:
    """True for a group of ``adamcore.backends.torch.Adam``, which has every axis."""
    return "decay_order" in group


def adam_of_group(group: Mapping[str, Any], row: str) -> Adam:
    """Return the Adam of a parameter group in a ``state_dict``."""
    if is_ours(group):
        axes: dict[str, Any] = {axis: group[axis] for axis in AXES if axis in group}
        if isinstance(axes["amsgrad"], bool):
            axes["amsgrad"] = "uncorrected" if axes["amsgrad"] else "none"
        dtypes: dict[str, Any] = {name: group.get(name) for name in MOMENT_DTYPES}
        dtypes |= {name: group[name] for name in STORAGE if name in group}
        return Adam(**dtypes, **numbers_of_group(group), **axes)
    numbers = numbers_of_group(group)
    axes = {}
    if flag(group, "amsgrad"):
        axes["amsgrad"] = "uncorrected"
    if flag(group, "maximize"):
        axes["maximize"] = True
    if "bias_correction" in group and not flag(group, "bias_correction"):
        axes["bias_correction"] = "none"
    if "decoupled_weight_decay" in group:
        axes["decay"] = "decoupled" if flag(group, "decoupled_weight_decay") else "l2"
    return dialect_named(row).adam(**numbers, **axes)


def numbers_of_group(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of a group, by adamcore's names.

    Raises:
        CheckpointError: one is missing or no number.
    """
    found: dict[str, Any] = {}
    optional = [(key, (key,), None) for key in ("momentum_decay", "eps_root", "lr_max") if key in group]
    for name, keys, start in (*SETTINGS, *optional):
        value: Any = next((group[key] for key in keys if key in group), start)
        try:
            if name == "betas":
                found["b1"], found["b2"] = (float(b) for b in value)
            else:
                found[name] = float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            came = "is missing" if value is None else f"is {value!r}"
            raise CheckpointError(
                f"a group with {listed(map(str, group), 12)}: {keys[0]} {came}; expected "
                f"{'two numbers' if name == 'betas' else 'a number'}"
            ) from error
    return found


def flag(group: Mapping[str, Any], key: str) -> bool:
    """Return a truth value of a group, False if it is not there.

    Raises:
        CheckpointError: it is none.
    """
    try:
        return bool(group.get(key, False))
    except RuntimeError as error:  # a tensor of several elements
        raise CheckpointError(
            f"{key} of a group is {repr(group[key])[:80]}: expected True or False"
        ) from error


def fill_group(group: dict[str, Any], number: int, state: NamedState, names: list[str]) -> None:
    """Set a group's hyperparameters to those of its parameters.

    Raises:
        ConversionError: they differ among the parameters, or the group cannot hold them.
    """
    if not names:
        return
    adams = {name: state.adam_of(name) for name in names}
    first = adams[names[0]]
    other = next((name for name in names if adams[name] != first), None)
    if other is not None:
        raise ConversionError(
            f"group {number} holds {names[0]!r} and {other!r}, whose hyperparameters differ: expected one "
            "set for a group; make the optimizer with a group for each"
        )
    group |= {
        "lr": first.lr,
        "betas": (first.b1, first.b2),
        "eps": first.eps,
        "weight_decay": first.weight_decay,
    }
    if is_ours(group):
        group |= {
            "eps_root": first.eps_root,
            "momentum_decay": first.momentum_decay,
            "lr_max": first.lr_max,
        }
    switches = {
        "amsgrad": first.amsgrad != "none",
        "maximize": first.maximize,
        "decoupled_weight_decay": first.decay == "decoupled",
        "bias_correction": first.bias_correction == "both",
        "momentum_decay": first.momentum_decay,
    }
    if not is_ours(group):  # whose axes are the program's
        group |= {name: value for name, value in switches.items() if name in group}
    kept = adam_of_group(group, state.dialect if state.dialect else dialect_of_keys(group, {}))
    has_complex = any(np.iscomplexobj(state.leaves[name].m) for name in names)
    lacking = differences(first, kept, has_complex=has_complex)
    if lacking:
        words = ", ".join(f"{name}={getattr(first, name)!r}" for name in lacking)
        raise ConversionError(
            f"group {number} can't hold {words}: fit the state to what it can first "
            f"(fit(..., accept={lacking!r}), on the command line --as NAME "
            f"{' '.join(f'--accept {name}' for name in lacking)})"
        )


def shared_clock(state: NamedState, names: list[str], number: int) -> int:
    """Return the clock of a group that has one for all its parameters.

    Raises:
        ConversionError: the clocks differ.
    """
    clocks = {state.leaves[name].t for name in names}
    if len(clocks) > 1:
        raise ConversionError(
            f"the clocks in group {number} differ ({min(clocks)} to {max(clocks)}) and its optimizer keeps "
            "one for the group: choose one first (fit(..., clock='max'))"
        )
    return clocks.pop() if clocks else 0


def group_of(adam: Adam) -> dict[str, Any]:
    """Return the settings of a group of torch.optim's class, without its parameters."""
    group: dict[str, Any] = {
        "lr": adam.lr,
        "betas": (adam.b1, adam.b2),
        "eps": adam.eps,
        "weight_decay": adam.weight_decay,
        "amsgrad": adam.amsgrad != "none",
        "foreach": None,
        "maximize": adam.maximize,
        "capturable": False,
        "differentiable": False,
        "fused": None,
        "decoupled_weight_decay": adam.decay == "decoupled",
    }
    if adam.nesterov == "dozat":
        group = {k: x for k, x in group.items() if k not in ("amsgrad", "fused")}
        group["momentum_decay"] = adam.momentum_decay
    return group
