"""What a state has beside the moments because of how arrays are kept: rests and scales (STORE.1, STORE.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adamcore.config import AdamConfig
from adamcore.errors import StateError
from adamcore.protocol import Backend, LeafDtypes
from adamcore.state import AdamState
from adamcore.storage.policies import RESTS
from adamcore.trees import ParamTree
from adamcore.types import Array, DType

SCALES = {"m_scale": "m", "v_scale": "v", "v_max_scale": "v_max"}  #: the scales of each moment
PARTS = ("p_rest", *SCALES)


class Wanted(NamedTuple):
    """What a part is to be."""

    shape: Any  #: a tuple, or what the library has for one
    dtype: DType


def parts_of(adam: AdamConfig) -> dict[str, tuple[str, bool]]:
    """Return for each part the field of Adam that decides whether a state has it, and whether it has."""
    return {
        "p_rest": ("p_storage", adam.p_storage in RESTS),
        "m_scale": ("m_storage", adam.m_storage != "plain"),
        "v_scale": ("v_storage", adam.v_storage != "plain"),
        "v_max_scale": ("v_storage", adam.v_storage != "plain" and adam.amsgrad != "none"),
    }


def wanted(name: str, p: Array, formats: LeafDtypes | None) -> Wanted | None:
    """Return what a part of a leaf has to be; None if the leaf has none."""
    if formats is None:
        return None
    if name == "p_rest":
        return None if formats.rest is None else Wanted(tuple(p.shape), formats.rest)
    coding, dtype = formats.coding(SCALES[name]), formats.m_scale if name == "m_scale" else formats.v_scale
    return None if coding is None else Wanted((coding.blocks(p.shape),), dtype)


def first_part(b: Backend, name: str, p: Array, formats: LeafDtypes | None) -> Array | None:
    """Return a part of a leaf before the first step; None if the leaf has none."""
    part = wanted(name, p, formats)
    if part is None or formats is None:
        return None
    if name == "p_rest":
        assert formats.storage is not None
        return b.cast(p, part.dtype) if formats.storage.policy == "master" else b.zeros(p, part.dtype)
    n, coding = b.bits_of_floats(), formats.coding(SCALES[name])
    assert n is not None  # as adamcore.dtypes has found
    assert coding is not None
    return n.zero_scales(p, coding.block, part.dtype)


def first_parts(adam: AdamConfig, tree: ParamTree, formats: Sequence[LeafDtypes | None]) -> dict[str, Any]:
    """Return these parts of a state before the first step, as trees."""
    rows = list(zip(tree.leaves, formats, strict=True))
    return {
        name: tree.like([first_part(tree.backend, name, p, f) for p, f in rows])
        for name, (_, there) in parts_of(adam).items()
        if there
    }


def read_parts(tree: ParamTree, state: AdamState) -> dict[str, list[Any]]:
    """Return the leaves of the parts that a state has, by name."""
    found = {name: getattr(state, name) for name in PARTS}
    return {
        name: tree.match(part, f"state.{name}", StateError)
        for name, part in found.items()
        if part is not None
    }


def check_kept(tree: ParamTree, formats: Sequence[Any], kept: Mapping[str, Sequence[Any]]) -> None:
    """Raise unless these parts of the state fit the parameters."""
    for name, leaves in kept.items():
        for i, x in enumerate(leaves):
            part = wanted(name, tree.leaves[i], formats[i])
            if part is None or x is None:
                came, expected = ("None", "an array") if x is None else (type(x).__name__, "None")
                misfit = None if x is part else f"{came}: expected {expected}"
            else:
                misfit = differs(tree, x, tree.leaves[i], part)
            if misfit:
                field = "p_storage" if name == "p_rest" else f"{name[0]}_storage"
                raise StateError(
                    f"{tree.path(i, f'state.{name}')} is {misfit}; this state was made for other parameters "
                    f"or another {field}: make it anew with init"
                )


def differs(tree: ParamTree, x: Any, p: Array, wanted: Wanted) -> str | None:
    """Return how ``x`` differs from an array of this form beside ``p``; None if it does not."""
    b = tree.backend
    if not b.owns(x):
        return f"{type(x).__name__}: expected an array of {b.name}"
    if x.shape != wanted.shape:
        return f"of shape {tuple(x.shape)}: expected {tuple(wanted.shape)}"
    if x.dtype != wanted.dtype:
        return f"of dtype {x.dtype}: expected {wanted.dtype}"
    if b.device(x) != b.device(p):
        return f"on device {b.device(x)}: expected {b.device(p)}"
    return None
