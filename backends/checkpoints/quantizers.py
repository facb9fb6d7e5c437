"""What optimizers of bitsandbytes and torchao keep of a parameter, so that one of them goes on from a state.

Both keep moments of 4096 elements and more as codes of 8 bits, with a scale for each block of 256 elements
(STORE.14).  Which parameters are kept so, only the optimizer itself can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from adamcore.errors import ConversionError
from adamcore.types import Array

Library = Literal["bitsandbytes", "torchao"]
PARTS = {"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"}  #: torchao's names
EIGHT_BITS = 8  #: of a code that is written as it is
BLOCK = 256  #: the elements that share a scale under "blockwise8"


class Kept(NamedTuple):
    """One parameter's part of a state."""

    t: int
    numbers: Mapping[str, Array]  #: "m", "v" and, with AMSGrad, "v_max"
    codes: Callable[
        [str], tuple[Array, Array]
    ]  #: the codes and the scales of one of them, under "blockwise8"


def library_of(optimizer: Any) -> Library | None:
    """Return whose quantising optimizer this is; None if it is another object."""
    if hasattr(optimizer, "non_castable_tensor_keys") and hasattr(optimizer, "get_config"):
        return "bitsandbytes"
    return "torchao" if hasattr(optimizer, "_subclass_zeros") and hasattr(optimizer, "is_adamw") else None


def row_of(optimizer: Any) -> str:
    """Return the row of :mod:`adamcore.dialects` of a quantising optimizer on the CPU."""
    if library_of(optimizer) == "torchao":
        return "torchao.AdamW" if optimizer.is_adamw else "torchao.Adam"
    names = [each.__name__ for each in type(optimizer).__mro__]
    return "bitsandbytes.AdamW" if any("AdamW" in name for name in names) else "bitsandbytes.Adam"


def refuse_without_optimizer(groups: Sequence[Mapping[str, Any]], states: Mapping[Any, Any]) -> None:
    """Raise ConversionError if a ``state_dict`` without its optimizer is one of a quantising optimizer."""
    quantised = any(
        "state1" in each or "__bnb_optimizer_quant_state__" in each or hasattr(each.get("exp_avg"), "codes")
        for each in states.values()
        if isinstance(each, Mapping)
    )
    if quantised or any("t_alpha" in group for group in groups):
        raise ConversionError(
            "like is the state_dict of an optimizer of bitsandbytes or torchao, which does not tell which "
            "parameters it quantises: give the optimizer itself as like"
        )


def entry_of(optimizer: Any, place: tuple[int, int], kept: Kept) -> dict[str, Any]:
    """Return the state of a parameter, for ``optimizer.load_state_dict``.

    Args:
        optimizer: one for which :func:`library_of` is not None.
        place: the numbers of the group and of the parameter in it.
        kept: what is to be kept of the parameter.

    Raises:
        ConversionError: the optimizer is no Adam, or has no place for a part of the state.
    """
    of_library = torchao_entry if library_of(optimizer) == "torchao" else bitsandbytes_entry
    return of_library(optimizer, place, kept)


def bitsandbytes_entry(optimizer: Any, place: tuple[int, int], kept: Kept) -> dict[str, Any]:
    import torch

    number, at = place
    group = optimizer.param_groups[number]
    p, config = group["params"][at], optimizer.get_config(number, at, group)
    name = type(optimizer).__name__
    if "v_max" in kept.numbers:
        raise ConversionError(
            f"{name} of bitsandbytes has no place for v_max: expected a state without AMSGrad"
        )
    if getattr(optimizer, "optimizer_name", "adam") != "adam" or config["max_unorm"] > 0:
        raise ConversionError(f"{name} of bitsandbytes is no Adam: expected its Adam or AdamW")
    entry: dict[str, Any] = {"step": kept.t}
    eight = config["optim_bits"] == EIGHT_BITS and p.numel() >= config["min_8bit_size"]
    if eight and "dynamic" not in optimizer.name2qmap:
        optimizer.fill_qmap()
    for k, (part, table) in enumerate((("m", "dynamic"), ("v", "udynamic")), start=1):
        if eight:
            codes, scales = kept.codes(part)
            entry |= {f"state{k}": tensor(codes), f"absmax{k}": tensor(scales)}
            entry[f"qmap{k}"] = optimizer.name2qmap[table].clone()
        else:
            entry[f"state{k}"] = tensor(kept.numbers[part]).to(torch.float32)
    return entry


def torchao_entry(optimizer: Any, place: tuple[int, int], kept: Kept) -> dict[str, Any]:
    import torch

    number, at = place
    group = optimizer.param_groups[number]
    p = group["params"][at]
    wanted = ["m", "v", *(["v_max"] if group["amsgrad"] else [])]
    if wanted != list(kept.numbers):
        raise ConversionError(
            f"the optimizer of torchao keeps {' and '.join(wanted)}, and the state has "
            f"{' and '.join(kept.numbers)}: expected the same amsgrad in both"
        )
    entry: dict[str, Any] = {"step": torch.tensor(float(kept.t))}
    for part in wanted:
        buffer = optimizer._new_buffer(p, part == "m")
        codes, table = getattr(buffer, "codes", None), getattr(buffer, "qmap", ())
        if codes is not None and len(table) == 2**EIGHT_BITS and buffer.block_size == BLOCK:
            own, scales = kept.codes(part)
            buffer.codes.copy_(tensor(own))
            buffer.scale.copy_(tensor(scales))
        else:  # in 4 bits, in float8, or plainly: rounded by torchao itself
            buffer.copy_(tensor(kept.numbers[part]))
        entry[PARTS[part]] = buffer
    return entry


def tensor(x: Array) -> Any:
    """Return a copy of an array of NumPy as a tensor."""
    import numpy as np
    import torch

    return torch.from_numpy(np.array(x if x.dtype.kind in "iu" else x.astype(np.float32)))
