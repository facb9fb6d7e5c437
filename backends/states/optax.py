"""The state of Adam in a state of optax, anywhere in a chain."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from adamcore.adam import Adam
from adamcore.backends.checkpoints.optax_files import Path
from adamcore.backends.states.adam import from_adam, to_adam
from adamcore.backends.states.fitting import refuse_rounded
from adamcore.backends.states.layouts import from_flat
from adamcore.backends.states.named import (
    Moments,
    NamedState,
    dotted,
    listed,
    numpy_of,
    unique,
    whole_number,
)
from adamcore.backends.states.raw_trees import places, raw_state, warn_multi_steps
from adamcore.errors import CheckpointError, ConversionError
from adamcore.state import AdamState
from adamcore.types import Tree


def is_adam(node: object) -> bool:
    """True for the state of an Adam: optax's own, that of its AMSGrad, or ours."""
    return isinstance(node, AdamState) or type(node).__name__ in ("ScaleByAdamState", "ScaleByAmsgradState")


def find(opt_state: Tree) -> list[Any]:
    """Return the states of Adam in a state of optax."""
    import jax

    return [x for x in jax.tree.leaves(opt_state, is_leaf=is_adam) if is_adam(x)]


def only(opt_state: Tree) -> Any:
    """Return the one state of Adam in a state of optax.

    Raises:
        CheckpointError: there is none, or there are several.
    """
    found = find(opt_state)
    if len(found) == 1:
        return found[0]
    came = "no state of Adam" if not found else f"{len(found)} states of Adam"
    kinds = ", ".join(
        dict.fromkeys(type(x).__name__ for x in (opt_state if isinstance(opt_state, tuple) else ()))
    )
    raise CheckpointError(
        f"{came} in {type(opt_state).__name__}({kinds}): expected one ScaleByAdamState, "
        "ScaleByAmsgradState or AdamState; pick the part that holds the one you mean"
    )


def from_optax(opt_state: Tree, adam: Adam, *, dialect: str = "") -> NamedState:
    """Return the state of Adam in a state of optax, or of ``adamcore.backends.jax.adam``.

    A parameter's name is its path in the tree, with dots: ``params["dense"]["kernel"]`` is "dense.kernel".

    Args:
        opt_state: the result of ``tx.init`` or ``tx.update``, of any chain with one Adam; a tree that holds
            it, such as flax' ``TrainState`` or ``nnx.Optimizer``; or what orbax or flax restored without a
            target, where optax' tuples are dictionaries and lists.
        adam: the Adam that made it, such as ``Adam.like("optax.adamw", lr=...)``; optax keeps no
            hyperparameters in its state.
        dialect: the dialect's name, if it is known.

    Raises:
        CheckpointError: there is no Adam in it, or there are several.

    Warns:
        UserWarning: arrays of other transformations, or gradients accumulated by ``optax.MultiSteps``, are
            left out.
    """
    if not find(opt_state) and places(raw := leaves_by_path(opt_state)):
        flat, clocks = raw_state(raw, "this tree")
        return NamedState(adam, from_flat(flat, "optax", t=clocks).leaves, dialect=dialect)
    found = unboxed(only(opt_state))
    warn_left_out(opt_state)
    if isinstance(found, AdamState):
        return from_adam(adam, found, dialect=dialect)
    names, m = named_leaves(found.mu)
    _, v = named_leaves(found.nu)
    maxima = named_leaves(found.nu_max)[1] if hasattr(found, "nu_max") else [None] * len(m)
    t = whole_number(found.count, "count")
    leaves = {
        name: Moments(t, numpy_of(a), numpy_of(b), None if c is None else numpy_of(c))
        for name, a, b, c in zip(names, m, v, maxima, strict=True)
    }
    return NamedState(adam, leaves, dialect=dialect)


def to_optax(
    state: NamedState, like: Tree, params: Tree, *, adam: Adam | None = None, narrow: bool = False
) -> Tree:
    """Return a state of optax with which a transformation continues.

    Args:
        state: in the dialect of the transformation; :func:`fit` makes it so.
        like: ``tx.init(params)``.  In the result the state of Adam is replaced, and the counts of schedules
            are set to its clock; the rest is that of ``like``.
        params: the parameters, whose tree gives the names.
        adam: the Adam of an ``adamcore.backends.jax.adam``; None: ``state.adam``.
        narrow: True if moments may be rounded to the dtypes of those in ``like``.

    Raises:
        CheckpointError: ``like`` has no Adam, or the names or the shapes differ.
        ConversionError: the clocks differ, and optax has one; or moments would be rounded (MOM.4).
    """
    import jax
    import jax.numpy as jnp

    boxed = only(like)
    target = unboxed(boxed)
    if isinstance(target, AdamState):
        new: Any = to_adam(state, state.adam if adam is None else adam, unboxed(params), narrow=narrow)
    else:
        state.refuse_rests("optax' state")
        state.warn_of_own("optax' state")
        names, old = named_leaves(target.mu)
        found, t = state.match(names), state.one_clock()
        if t is None:
            raise ConversionError(
                "the clocks differ and optax keeps one: choose it first (fit(..., clock='max'))"
            )
        structure = jax.tree.structure(target.mu)

        def tree(part: str, dtype_of: Any) -> Tree:
            arrays = []
            for name, leaf, like_leaf in zip(names, found, jax.tree.leaves(dtype_of), strict=True):
                x = getattr(leaf, part)
                if x is None or x.shape != like_leaf.shape:
                    came = "nothing" if x is None else f"shape {x.shape}"
                    raise CheckpointError(f"{part} of {name} is {came}: expected shape {like_leaf.shape}")
                arrays.append(jnp.asarray(x, dtype=like_leaf.dtype))
                if not narrow:
                    refuse_rounded(x, arrays[-1], f"{part} of {name}")
            return jax.tree.unflatten(structure, arrays)

        del old
        new = target._replace(
            count=jnp.asarray(t, jnp.int32), mu=tree("m", target.mu), nu=tree("v", target.nu)
        )
        if hasattr(target, "nu_max"):
            new = new._replace(nu_max=tree("v_max", target.nu_max))
    return replace_in(like, in_boxes_of(boxed, new), state.one_clock())


def replace_in(like: Tree, new: Any, t: int | None) -> Tree:
    """Return ``like`` with a new state of Adam, and the counts of schedules and of MultiSteps at ``t``."""
    import jax
    import jax.numpy as jnp

    counts = {
        "ScaleByScheduleState": "count",
        "WrappedScheduleState": "count",
        "MultiStepsState": "gradient_step",
    }

    def put(node: Any) -> Any:
        if is_adam(node):
            return new
        field = counts.get(type(node).__name__)
        if field is None:
            return node
        values = {name: jax.tree.map(put, x, is_leaf=stop) for name, x in node._asdict().items()}
        if t is not None:
            values[field] = in_boxes_of(values[field], jnp.asarray(t, jnp.int32))
        return type(node)(**values)

    def stop(node: object) -> bool:
        return is_adam(node) or type(node).__name__ in counts

    result: Tree = jax.tree.map(put, like, is_leaf=stop)
    return result


def is_box(node: object) -> bool:
    """True for a variable of flax' nnx, or an array with the names of its axes as flax' linen has them."""
    kinds = [kind.__name__ for kind in type(node).__mro__ if kind.__module__.startswith("flax.")]
    return "Variable" in kinds or "AxisMetadata" in kinds


def opened(box: Any) -> Any:
    """Return what is in a box; anything else as it is."""
    while is_box(box):
        if hasattr(box, "unbox"):
            box = box.unbox()
        else:
            box = box.get_value() if hasattr(box, "get_value") else box.value  # which flax 0.12.0 has alone
    return box


def unboxed(tree: Tree) -> Tree:
    """Return a tree with arrays in the place of flax' boxes."""
    import jax

    result: Tree = jax.tree.map(opened, tree, is_leaf=is_box)
    return result


def in_boxes_of(like: Tree, tree: Tree) -> Tree:
    """Return a tree with its leaves in boxes as those of ``like``."""
    import jax

    result: Tree = jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(tree))
    return result


def leaves_by_path(tree: Tree) -> dict[Path, Any]:
    """Return the leaves of a tree by their paths; a tuple of optax' that is no Adam counts as a leaf."""
    import jax

    def stop(node: object) -> bool:
        return is_box(node) or ({"mu", "nu"} <= set(getattr(node, "_fields", ())))

    def text(key: Any) -> str:
        return str(next(getattr(key, part) for part in ("key", "idx", "name") if hasattr(key, part)))

    pairs = jax.tree_util.tree_leaves_with_path(tree, is_leaf=stop)
    return {tuple(map(text, path)): opened(x) for path, x in pairs}


def warn_left_out(opt_state: Tree) -> None:
    """Warn of the arrays in a state of optax that are no part of its Adam."""
    import jax

    def is_optax(node: object) -> bool:
        return hasattr(node, "_fields") and type(node).__module__.startswith("optax.")

    def own(node: Any) -> None:
        inner = jax.tree.leaves(node, is_leaf=lambda x: x is not node and is_optax(x))
        for child in filter(is_optax, inner):
            if not is_adam(child):
                own(child)
        if type(node).__name__ == "MultiStepsState":
            warn_multi_steps(int(numpy_of(opened(node.mini_step))))
        elif is_optax(node) and any(getattr(x, "ndim", 0) for x in inner):
            beside.append(type(node).__name__)

    beside: list[str] = []
    own(opt_state)
    if beside:
        warnings.warn(
            f"the arrays of {', '.join(dict.fromkeys(beside))} are no part of Adam's state and are left out",
            stacklevel=3,
        )


def named_leaves(tree: Tree) -> tuple[list[str], list[Any]]:
    """Return the paths with dots, and the leaves."""
    import jax

    keystr: Callable[[Any], str] = jax.tree_util.keystr
    pairs = jax.tree_util.tree_leaves_with_path(tree)
    if not pairs:
        raise CheckpointError(f"the moments hold no arrays: {listed([type(tree).__name__])}")
    return unique([dotted(keystr(path)) for path, _ in pairs]), [x for _, x in pairs]
