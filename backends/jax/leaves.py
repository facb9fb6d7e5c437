"""What the optax transformations take for an array, and the dtype in which a leaf is stepped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adamcore.backends.jax.backend import is_leaf
from adamcore.storage.policies import NARROW
from adamcore.types import DType, Tree


def lift(x: Any) -> Any:
    """Return JAX's array for an array of NumPy, a Python number or a ``jax.ShapeDtypeStruct``; else ``x``.

    >>> lift(np.ones(2)), lift(jax.ShapeDtypeStruct((1,), "bfloat16")), lift("text")
    (Array([1., 1.], dtype=float32), Array([0], dtype=bfloat16), 'text')
    """
    if isinstance(x, jax.ShapeDtypeStruct):
        return jnp.zeros_like(x)
    if isinstance(x, np.ndarray | np.number | float | complex):
        return jnp.asarray(np.asarray(x))
    return x


def lifted(tree: Tree) -> Tree:
    """Return a tree with :func:`lift` of each leaf."""
    return jax.tree.map(lift, tree)


def aligned(params: Tree, like: Tree) -> Tree:
    """Return the parameters, without whatever stands where ``like`` has None.

    An equinox model has functions and numbers there.
    """
    if not any(x is None for x in jax.tree.leaves(like, is_leaf=is_leaf)):
        return lifted(params)
    return jax.tree.map(lambda x, p: None if x is None else lifted(p), like, params, is_leaf=is_leaf)


def is_kept(p: Any) -> bool:
    """True if a parameter is of a dtype of which ``p_storage`` keeps more than the parameter itself."""
    return str(getattr(p, "dtype", "")) in NARROW


def wide_dtype(p: Any, g: Any, keep: bool = False) -> DType | None:
    """Return a dtype that holds the values of ``p`` and of its gradient ``g``; None if ``p`` is no array.

    Args:
        p, g: a parameter and its gradient.
        keep: as for :func:`widened`.

    >>> wide_dtype(jnp.ones(2, "bfloat16"), jnp.ones(2, "float32")).name
    'float32'
    """
    if not hasattr(p, "dtype") or not hasattr(g, "dtype") or p.dtype == g.dtype or (keep and is_kept(p)):
        return getattr(p, "dtype", None)
    if not holds(p.dtype, g.dtype):
        return p.dtype  # which the step refuses
    try:
        return jnp.promote_types(p.dtype, g.dtype)
    except jax.dtypes.TypePromotionError:
        return p.dtype


def holds(dtype: DType, other: DType) -> bool:
    """True if numbers of a dtype can be those of another one, but for their precision and range."""
    if jnp.issubdtype(other, jnp.floating):
        return bool(jnp.issubdtype(dtype, jnp.inexact))
    return bool(jnp.issubdtype(dtype, jnp.complexfloating) and jnp.issubdtype(other, jnp.complexfloating))


def widened(params: Tree, grads: Tree, *, keep: bool = False) -> tuple[Tree, Tree]:
    """Return parameters and gradients, both in the dtype in which the leaf is stepped.

    Args:
        params, grads: as for a step.
        keep: True if ``p_storage`` is not "plain".  Leaves that it keeps stay as they are; the step refuses
            a gradient of another dtype there.
    """
    gs = by_path(grads)
    dtypes = {}
    for path, p in by_path(params).items():
        dtypes[path] = None if keep and is_kept(p) else wide_dtype(p, gs.get(path))

    def wide(path: str, x: Any) -> Any:
        dtype = dtypes.get(path)
        if dtype is None or not hasattr(x, "dtype") or not holds(dtype, x.dtype):
            return x
        return cast(x, dtype)

    return map_by_path(wide, params), map_by_path(wide, grads)


def cast(x: Any, dtype: DType) -> Any:
    """Return ``x`` in that dtype: itself, if it is of that dtype already."""
    return x if x.dtype == dtype else x.astype(dtype)


def by_path(tree: Tree) -> dict[str, Any]:
    """Return the leaves of a tree by their paths; None is a leaf."""
    pairs = jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_leaf)
    return {jax.tree_util.keystr(path): x for path, x in pairs}


def map_by_path(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Return a tree of ``f(path, leaf, ...)``; None is a leaf."""
    return jax.tree_util.tree_map_with_path(
        lambda path, *xs: f(jax.tree_util.keystr(path), *xs), tree, *rest, is_leaf=is_leaf
    )
