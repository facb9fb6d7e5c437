"""One parameter's state as PyTorch's optimizers keep it, whoever wrote it: names, and quantised moments.

bitsandbytes keeps 8-bit codes with a table of values (``qmap``) and a scale for each block (``absmax``).
torchao does so in 8 and in 4 bits, and in float8 without a table.  Both follow Dettmers et al.,
https://arxiv.org/abs/2110.02861.  The moments are read as the numbers that the codes stand for, in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adamcore.backends.numpy.words import WORDS
from adamcore.backends.states.named import Array, Coded, listed, numpy_of
from adamcore.errors import CheckpointError
from adamcore.storage.blockwise import SMALL, table
from adamcore.storage.moments import IN_8_BITS, Coding, decode, encode

WRAPPED = "__bnb_optimizer_quant_state__"  #: bitsandbytes' key for what FSDP would not gather
ALIASES = {"exp_avg": ("state1", "moment1"), "exp_avg_sq": ("state2", "moment2")}
FIELDS = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "v_max"}  #: our names
BLOCKS = (256, 2048)  #: the sizes of bitsandbytes' blocks, now and before 0.44


def plain_entry(each: Mapping[str, Any], where: str) -> tuple[dict[str, Any], str]:
    """Return a parameter's state with PyTorch's names and plain arrays, and how it was quantised.

    Args:
        each: the state of the parameter.
        where: the parameter, for messages.

    Returns:
        the state; and "8-bit", "4-bit" or "float8", or "" if it was not quantised.

    Raises:
        CheckpointError: the codes can't be read, or a tensor is a shard of one process.
    """
    entry = {key: x for key, x in each.items() if key != WRAPPED}
    wrapped = each.get(WRAPPED)
    entry |= wrapped if isinstance(wrapped, Mapping) else {}
    quantised, coded = "", dict[str, Coded]()
    for number, (name, others) in enumerate(ALIASES.items(), start=1):
        other = next((key for key in others if key in entry), None)
        if name in entry or other is None:
            continue
        x = entry.pop(other)
        if str(getattr(x, "dtype", "")).endswith("uint8"):
            parts = {key: entry.pop(f"{key}{number}", None) for key in ("qmap", "absmax")}
            kept = published(x, parts["qmap"], parts["absmax"], f"{other} of {where}", signed=number == 1)
            coded |= {} if kept is None else {FIELDS[name]: kept}
            x, quantised = by_blocks(x, parts["qmap"], parts["absmax"], f"{other} of {where}"), "8-bit"
        entry[name] = x
    for name, field in FIELDS.items():
        x, scales = entry.get(name), entry.pop(f"{name}_scale", None)
        if scales is not None:  # our own optimizer's
            codes, each_block = (numpy_of(local(y, where)) for y in (x, scales))
            kept = Coded(policy_of(codes, each_block, field), codes, each_block)
            coded[field], entry[name] = kept, numbers_of(kept, field, f"{name} of {where}")
        elif x is not None and hasattr(x, "codes") and hasattr(x, "scale"):
            qmap = getattr(x, "qmap", None)
            kept = published(x.codes, qmap, x.scale, f"{name} of {where}", signed=field == "m")
            coded |= {} if kept is None else {field: kept}
            entry[name], quantised = of_torchao(x, f"{name} of {where}")
        else:
            entry.pop(name, None)
            entry |= (
                {} if x is None else {name: array_of(local(x, f"{name} of {where}"), f"{name} of {where}")}
            )
    return entry | ({"coded": coded} if coded else {}), quantised


def published(codes: Any, numbers: Any, scales: Any, where: str, *, signed: bool) -> Coded | None:
    """Return a moment that is kept in the state as "blockwise8" keeps it; None if the codebook is another.

    Raises:
        CheckpointError: the codebook or the scales are no floating-point numbers.
    """
    if numbers is None or scales is None or not str(codes.dtype).endswith("uint8"):
        return None
    codes, numbers, scales = (
        numpy_of(codes),
        array_of(numbers, f"the codebook of {where}"),
        array_of(scales, f"the scales of {where}"),
    )
    blocks = Coding("blockwise8", True).blocks(codes.shape)
    if (
        not np.array_equal(numbers, np.asarray(table(signed), np.float32))
        or scales.size != blocks
        or codes.size < SMALL
    ):
        return None
    return Coded("blockwise8", codes, scales.reshape(-1))


def policy_of(codes: Array, scales: Array, name: str) -> str:
    """Return the way of keeping moments that has such codes and scales; "plain" if there is none."""
    found = codes.dtype.name, scales.dtype.name, scales.shape
    for policy in IN_8_BITS:
        coding = Coding(policy, name == "m")
        form = coding.dtype, coding.scale_dtype, (coding.blocks(codes.shape),)
        if coding.serves(codes.shape) and found == form:
            return policy
    return "plain"


def numbers_of(coded: Coded, name: str, where: str) -> Array:
    """Return the numbers that the codes of one of our moments stand for.

    Args:
        coded: the moment as it was kept.
        name: "m", "v" or "v_max".
        where: the moment, for messages.

    Raises:
        CheckpointError: codes and scales have not the form of the policy.
    """
    coding = Coding(coded.policy, name == "m")  # type: ignore[arg-type]
    form = coded.codes.dtype.name, coded.scales.dtype.name, coded.scales.shape
    if coded.policy not in IN_8_BITS:
        raise CheckpointError(
            f"{where} has codes in {form[0]} of shape {coded.codes.shape}, and scales in {form[1]} of shape "
            f"{form[2]}: expected those of {' or '.join(map(repr, IN_8_BITS))}"
        )
    wanted = coding.dtype, coding.scale_dtype, (coding.blocks(coded.codes.shape),)
    if form != wanted:
        raise CheckpointError(
            f"{where} has codes in {form[0]}, and scales in {form[1]} of shape {form[2]}: expected "
            f"{wanted[0]}, and {wanted[1]} of shape {wanted[2]}"
        )
    with np.errstate(all="ignore"):
        return np.asarray(decode(WORDS, coding, coded.codes, coded.scales), np.float32)


def codes_of(numbers: Array, name: str, policy: str) -> Coded:
    """Return a moment in 8 bits, rounded from numbers; the arguments are those of :func:`numbers_of`."""
    coding = Coding(policy, name == "m")  # type: ignore[arg-type]
    with np.errstate(all="ignore"):
        codes, scales = encode(WORDS, coding, np.asarray(numbers).astype(np.float32))
    return Coded(policy, codes.astype(coding.dtype), scales.astype(coding.scale_dtype))


def by_blocks(codes: Any, table: Any, scales: Any, where: str) -> Array:
    """Return the numbers that bitsandbytes' 8-bit codes stand for.

    Raises:
        CheckpointError: there is no table or no scale for each block.
    """
    if table is None or scales is None:
        raise CheckpointError(
            f"{where} is in 8 bits without a scale for each block (qmap, absmax), as bitsandbytes saved it "
            "before version 0.37 or with block_wise=False: load it with bitsandbytes and save it in 32 bits"
        )
    numbers, each = numpy_of(codes), array_of(scales, f"the scales of {where}").reshape(-1)
    values = array_of(table, f"the table of {where}", size=256).reshape(-1)
    size = next((size for size in BLOCKS if -(-numbers.size // size) == each.size), None)
    if size is None:
        raise CheckpointError(
            f"{where} has {each.size} scales for {numbers.size} elements: expected one for each block of "
            f"{' or '.join(map(str, BLOCKS))}"
        )
    scale = np.repeat(each, size)[: numbers.size].reshape(numbers.shape)
    return np.asarray(values[numbers] * scale, np.float32)


def of_torchao(x: Any, where: str) -> tuple[Array, str]:
    """Return the numbers that a quantised tensor of torchao's stands for, and its kind.

    Raises:
        CheckpointError: its scales are not those of equal blocks.
    """
    scales, table = numpy_of(x.scale).reshape(-1), getattr(x, "qmap", None)
    if table is None:
        kind, numbers, shape = "float8", numpy_of(x.codes.float()), tuple(x.codes.shape)
    else:
        codes, kind, shape = numpy_of(x.codes), "8-bit", tuple(x.codes.shape)
        if hasattr(x, "_shape"):  # two codes a byte, the first in the upper half
            codes, kind, shape = np.stack([codes >> 4, codes & 15], axis=-1), "4-bit", tuple(x._shape)
        numbers = numpy_of(table)[codes]
    if not scales.size or numbers.size % scales.size:
        raise CheckpointError(
            f"{where} has {scales.size} scales for {numbers.size} elements: expected equal blocks"
        )
    values = numbers.reshape(scales.size, -1) * scales[:, None]
    return np.asarray(values.reshape(shape), np.float32), kind


def array_of(x: Any, where: str, size: int | None = None) -> Array:
    """Return an array of floating-point or complex numbers in NumPy.

    Raises:
        CheckpointError: it is none, or has another number of elements than ``size``.
    """
    try:
        found = numpy_of(x)
        if found.dtype.kind in "fcV" and size in (None, found.size):
            return found
    except (TypeError, ValueError, RuntimeError):  # sparse, quantised or float8
        pass
    kind = getattr(x, "layout", ""), getattr(x, "dtype", type(x).__name__), getattr(x, "shape", "")
    raise CheckpointError(
        f"{where} is {' '.join(str(part) for part in kind if str(part))}: expected "
        f"{'an array of' if size is None else 'one of the'} floating-point numbers"
    )


def local(x: Any, where: str) -> Any:
    """Return a tensor that is whole in this process.

    Raises:
        CheckpointError: it is one process' shard of a DTensor, or it stands in for one.
    """
    mesh = getattr(x, "device_mesh", None)
    if mesh is not None and mesh.size() == 1:
        return x.to_local()
    if mesh is not None or hasattr(x, "stands_for"):
        raise CheckpointError(
            f"{where} is one process' part of a tensor that is sharded (DTensor): gather the state first, by "
            "get_optimizer_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True)), or "
            "convert the folder of a distributed checkpoint"
        )
    return x


def is_adam(entry: Mapping[str, Any]) -> bool:
    """True if a parameter's state, as :func:`plain_entry` returns it, has a moment of Adam's."""
    return "exp_avg" in entry or "exp_avg_sq" in entry


def check_entry(entry: Mapping[str, Any], step: Any, where: str) -> None:
    """Raise CheckpointError if a parameter's state is not that of an Adam."""
    if "unorm_vec" in entry:
        raise CheckpointError(
            f"state of {where} has 'unorm_vec', which bitsandbytes keeps for LAMB: its step is scaled by the "
            "norm of the parameter; this is no Adam"
        )
    if step is None or "exp_avg" not in entry or "exp_avg_sq" not in entry:
        raise CheckpointError(
            f"state of {where} has {listed(entry)}: expected 'step' (or a step of its group), 'exp_avg' and "
            "'exp_avg_sq'; this is no Adam"
        )
