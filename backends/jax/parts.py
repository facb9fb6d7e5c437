"""Leaves that need a step of their own: those without weight decay, and those with a wider gradient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from adamcore.backends.jax.leaves import by_path, map_by_path, wide_dtype
from adamcore.errors import TreeError
from adamcore.state import AdamState
from adamcore.types import Tree


class Part(NamedTuple):
    """What the leaves of one step have in common."""

    decays: bool = True  #: False if the mask exempts them from weight decay
    m: str | None = None  #: the name of the dtype of m (of its parts, if complex), if not the Adam's
    v: str | None = None  #: the same for v and v_max


def parts_of(
    params: Tree, grads: Tree, state: AdamState, mask: Any, *, keep: bool = False
) -> dict[str, Part]:
    """Return the part of each leaf, by its path.

    A leaf with a wider gradient is stepped in the gradient's dtype, and its moments keep theirs (MOM.4).

    Args:
        params: the parameters.
        grads: the gradients.
        state: the state.
        mask: the leaves to which weight decay applies, as for :func:`adam`; None: all.
        keep: as for :func:`adamcore.backends.jax.leaves.widened`.

    Raises:
        TreeError: a parameter has no leaf in the mask, at its place or above it.
    """
    decays = None if mask is None else flags(mask, params)
    gs, ms, vs = by_path(grads), by_path(state.m), by_path(state.v)
    found = {}
    for path, p in by_path(params).items():
        decay = decays is None or decays.get(path, True)
        m, v = ms.get(path), vs.get(path)
        narrow = wide_dtype(p, gs.get(path), keep) != getattr(p, "dtype", None)
        narrow = narrow and m is not None and v is not None
        found[path] = Part(decay, real_name(m), real_name(v)) if narrow else Part(decay)
    return found


def real_name(x: Any) -> str | None:
    """Return the name of an array's dtype, or of that of its parts if it is complex; None for codes."""
    return str(jnp.finfo(x.dtype).dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else None


def flags(mask: Any, params: Tree) -> dict[str, bool]:
    """Return the mask by the paths of the parameters; a leaf of the mask holds for all below it.

    Raises:
        TreeError: a parameter has no leaf in the mask, at its place or above it.
    """
    tree = mask(params) if callable(mask) else mask
    given = {jax.tree_util.keystr(path): bool(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}
    found = {}
    for path, _ in jax.tree_util.tree_leaves_with_path(params):
        above = (jax.tree_util.keystr(path[:k]) for k in range(len(path), -1, -1))
        name = next((name for name in above if name in given), None)
        if name is None:
            raise TreeError(
                f"mask has no leaf mask{jax.tree_util.keystr(path)}: expected a tree of booleans like "
                "the parameters, or like the upper part of their tree"
            )
        found[jax.tree_util.keystr(path)] = given[name]
    return found


def pick(tree: Tree, own: Collection[str], other: Any = None) -> Tree:
    """Return a tree with ``other`` in place of the leaves whose path is not in ``own``."""
    return map_by_path(lambda path, x: x if path in own else other, tree)


def select(state: AdamState, own: Collection[str]) -> AdamState:
    """Return the state of the leaves whose path is in ``own``."""
    return AdamState(*(pick(x, own) if is_like(x, state.m) else x for x in state))


def is_like(tree: Tree, params: Tree) -> bool:
    """True if a field of the state is a tree like the parameters, and not one clock or None."""
    return tree is not None and not (hasattr(tree, "dtype") and not hasattr(params, "dtype"))


def merge(first: Tree, second: Tree, own: Collection[str]) -> Tree:
    """Return ``first``, with the leaves of ``second`` whose path is in ``own``."""
    return map_by_path(lambda path, a, b: b if path in own else a, first, second)


def merge_states(first: AdamState, second: AdamState, own: Collection[str]) -> AdamState:
    """Return ``first`` with the leaves of ``second`` whose path is in ``own``.

    A clock for all leaves ticks if it ticks in one of the two.
    """

    def field(a: Tree, b: Tree) -> Tree:
        if is_like(a, first.m):
            return merge(a, b, own)
        return a if a is None else jnp.where(second.t > first.t, b, a)

    return AdamState(*(field(a, b) for a, b in zip(first, second, strict=True)))


def in_parts(
    parts: dict[str, Part],
    trees: tuple[Tree, Tree, AdamState, Tree],
    step: Callable[[Part, Tree, Tree, AdamState, Tree], tuple[Tree, AdamState]],
) -> tuple[Tree, AdamState]:
    """Return the results of ``step`` on each part of parameters, gradients, state and presence."""
    params, grads, state, present = trees
    kinds: Iterable[Part] = dict.fromkeys(parts.values())
    if len(set(kinds)) == 1:
        return step(next(iter(kinds)), *trees)
    new_params, new_state = params, state
    for part in kinds:
        own = {path for path, p in parts.items() if p == part}
        there = None if present is None else pick(present, own, True)
        done = step(part, pick(params, own), pick(grads, own), select(state, own), there)
        new_params, new_state = merge(new_params, done[0], own), merge_states(new_state, done[1], own)
    return new_params, new_state
