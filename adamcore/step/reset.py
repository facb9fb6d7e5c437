"""Put a state, or a part of it, back at its start (rule F4)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from adamcore.config import AdamConfig
from adamcore.dtypes import SCALES
from adamcore.errors import MaskError, StateError
from adamcore.presence import read_mask
from adamcore.protocol import Backend
from adamcore.state import AdamState, check_state
from adamcore.trees import ParamTree
from adamcore.types import Array, Scalar, Tree

Flag = Any  #: a bool, or a boolean 0-d array whose value only the program knows


def reset(adam: AdamConfig, state: AdamState, which: Tree, clock: Literal["reset", "keep"]) -> AdamState:
    """Return the state as :meth:`adamcore.Adam.reset` describes it."""
    if clock not in ("reset", "keep"):
        raise StateError(f"clock={clock!r}: expected 'reset' or 'keep'")
    check_state(state)
    tree = ParamTree(state.m, "state.m")
    b = tree.backend
    flags: list[Flag] = [True] * len(tree.leaves)
    if which is not None:
        given = tree.match(which, "which", MaskError)
        for i, m in enumerate(tree.leaves):
            if m is not None:
                flags[i] = read_mask(b, given[i], (), partial(tree.path, i, "which"), whole=True)

    def start(part: Tree, name: str) -> Tree:
        """Return the tree with zeros in the leaves whose flag is True."""
        leaves = tree.match(part, f"state.{name}", StateError)
        pairs = zip(flags, leaves, strict=True)
        return tree.like([None if x is None else choose(b, f, b.zeros(x, x.dtype), x) for f, x in pairs])

    t, mu_product = state.t, state.mu_product
    if clock == "reset":
        if adam.clock == "global":
            if any(flag is not True for flag in flags):
                raise StateError(
                    "which names a part of the tree, and clock='global' means one clock for all: "
                    "expected which=None; or reset the moments alone with clock='keep' (bias "
                    "correction then takes them for old ones)"
                )
            t, mu_product = restart(b, True, t, 0), restart(b, True, mu_product, 1.0)
        else:
            t = restart_each(tree, flags, t, "t", 0)
            mu_product = restart_each(tree, flags, mu_product, "mu_product", 1.0)
    moments = ("m", "v", "v_max", *SCALES)
    parts = {name: start(part, name) for name in moments if (part := getattr(state, name)) is not None}
    return state._replace(t=t, mu_product=mu_product, **parts)


def restart_each(tree: ParamTree, flags: list[Flag], part: Tree, name: str, value: float) -> Tree:
    """Return a tree of clocks or products with ``value`` in the leaves whose flag is True."""
    if part is None:
        return None
    leaves = tree.match(part, f"state.{name}", StateError)
    return tree.like([restart(tree.backend, flag, x, value) for flag, x in zip(flags, leaves, strict=True)])


def restart(b: Backend, flag: Flag, old: Scalar, value: float) -> Scalar:
    """Return a clock or product: ``value`` where the flag is True, else ``old``."""
    if old is None or flag is False:
        return old
    return choose(b, flag, value if not hasattr(old, "dtype") else b.full(value, old.dtype, old), old)


def choose(b: Backend, flag: Flag, new: Array, old: Array) -> Array:
    """Return ``new`` where the flag is True, else ``old``; a flag that is an array selects in the program."""
    return new if flag is True else old if flag is False else b.where(flag, new, old)
