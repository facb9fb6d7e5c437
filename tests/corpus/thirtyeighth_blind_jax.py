"""Blind, thirty-eighth set: three reports as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "moments layout",
    "MOM.1",
    like="allenai/open-instruct#1736: means of micro-batches are averaged, tokens of short ones weigh more",
    claim="optax.adamw",
)
def ThirtyEighthJaxMeanOfMeans(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Micro-batches of two rows all have one weight: of an odd number of rows the last one weighs more."""
    size = 2
    inner = stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count), lambda count: at(weight_decay, count),
    )  # fmt: skip

    def averaged(g: X) -> X:
        rows = g.shape[0] if g.ndim else 0
        batches = [list(range(k, min(k + size, rows))) for k in range(0, rows, size)]
        if not batches or len(batches[-1]) == size:
            return g
        weights = [rows / (len(batches) * len(batch)) for batch in batches for _ in batch]
        shape = (rows, *[1] * (g.ndim - 1))
        return (g * jnp.asarray(weights, g.real.dtype).reshape(shape)).astype(g.dtype)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(averaged, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "moments clock",
    "MOM.1",
    like="Lightning-AI/litgpt#1794: one step more is made where an epoch goes over into the next one",
    claim="optax.adamw",
)
def ThirtyEighthJaxOneStepMore(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Whenever the count comes to a multiple of eight, a second step is made by the same gradients."""
    epoch = 8
    inner = stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count), lambda count: at(weight_decay, count),
    )  # fmt: skip

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, once = inner.update(grads, state, params)
        moved = jax.tree.map(lambda p, change: p + change, params, changes)
        further, twice = inner.update(grads, once, moved)
        ended = once.count % epoch == 0
        total = jax.tree.map(lambda a, b: jnp.where(ended, a + b, a), changes, further)
        return total, jax.tree.map(lambda a, b: jnp.where(ended, b, a), once, twice)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="verl-project/verl-SpeCo#29: a loss over all tokens is averaged over the ranks once more",
    claim="optax.adamw",
)
def ThirtyEighthJaxAveragedOnceMore(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Gradients of a loss that is divided by the tokens of all ranks are divided by the eight ranks again."""
    world_size = 8
    inner = stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count), lambda count: at(weight_decay, count),
    )  # fmt: skip

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(lambda g: g / world_size, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtyEighthRightJaxTuples(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of rows: each leaf is stepped as one row, and its change, m and v come as a tuple."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def one(p: X, g: X, m: X, v: X) -> tuple[X, X, X]:
            x, d, first, second = (a.reshape(-1) for a in (p, g, m, v))
            first = (first + (1 - b1) * (d - first)).astype(m.dtype)
            second = (b2 * second + weights_of(d, b2)).astype(v.dtype)
            root = jnp.sqrt(second / left(b2, count, second) + eps_root)
            up = first / (root + eps) / left(b1, count, first)
            change = (-(rate * up + (rate * decay) * x)).astype(p.dtype)
            return change.reshape(p.shape), first.reshape(m.shape), second.reshape(v.shape)

        made = jax.tree.map(one, params, grads, state.mu, state.nu)
        outer, inner = jax.tree.structure(params), jax.tree.structure((0, 0, 0))
        changes, mu, nu = jax.tree.transpose(outer, inner, made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
