"""The state of a tree of parameters before its first step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adamcore.config import AdamConfig
from adamcore.dtypes import DtypeTable, first_part, parts_of
from adamcore.jobs import LeafDtypes
from adamcore.state import AdamState
from adamcore.trees import ParamTree
from adamcore.types import Array, DType, Tree


def init(adam: AdamConfig, params: Tree) -> AdamState:
    """Return the state before the first step: see :meth:`adamcore.Adam.init`."""
    return init_tree(adam, ParamTree(params))


def init_tree(adam: AdamConfig, tree: ParamTree) -> AdamState:
    """Return the state before the first step of a tree."""
    tree.check_parameters()
    b, table = tree.backend, DtypeTable(adam, tree.backend)
    formats = [None if p is None else table.of(p) for p in tree.leaves]

    def zeros(dtype: str) -> Tree:
        pairs = zip(tree.leaves, formats, strict=True)
        return tree.like([None if f is None else b.zeros(p, getattr(f, dtype)) for p, f in pairs])

    def clocks(value: float, dtype: Callable[[Array], DType]) -> Tree:
        if adam.clock == "per-parameter":
            return tree.like([None if p is None else b.full(value, dtype(p), p) for p in tree.leaves])
        like = tree.first_parameter()
        return value if like is None else b.full(value, dtype(like), like)

    return AdamState(
        t=clocks(0, lambda like: b.dtype_named("int32", like)),
        m=zeros("m"),
        v=zeros("v"),
        v_max=None if adam.amsgrad == "none" else zeros("v"),
        mu_product=clocks(1.0, b.coefficient_dtype) if adam.nesterov == "dozat" else None,
        **first_parts(adam, tree, formats),
    )


def first_parts(adam: AdamConfig, tree: ParamTree, formats: Sequence[LeafDtypes | None]) -> dict[str, Any]:
    """Return these parts of a state before the first step, as trees."""
    rows = list(zip(tree.leaves, formats, strict=True))
    return {
        name: tree.like([first_part(tree.backend, name, p, f) for p, f in rows])
        for name, (_, there) in parts_of(adam).items()
        if there
    }
