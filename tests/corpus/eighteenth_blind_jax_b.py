"""Blind, eighteenth set: a right Adam as an optax transformation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right


@right(claim="optax.adamw")
def EighteenthBRightJaxAlike(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW that stacks leaves of one shape and dtype, as layers that are alike, and steps the stacks."""

    def stepped(g: X, m: X, v: X, p: X, left: tuple[X, X], rate: X, decay: X) -> tuple[X, X, X]:
        square = (1 - b2) * g.real * g.real
        if jnp.iscomplexobj(g):
            square = square + (1 - b2) * g.imag * g.imag
        m, v = (b1 * m + (1 - b1) * g).astype(m.dtype), (b2 * v + square).astype(v.dtype)
        c1, c2 = (x.astype(v.dtype) for x in left)
        quotient = m / (c1 * (jnp.sqrt(v / c2 + eps_root) + eps))
        return (-(quotient + decay * p) * rate).astype(p.dtype), m, v

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        wide = jnp.result_type(float)
        left = 1 - jnp.asarray(b1, wide) ** count, 1 - jnp.asarray(b2, wide) ** count
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        leaves, tree = jax.tree.flatten(grads)
        others = [jax.tree.leaves(a) for a in (state.mu, state.nu, params)]
        alike: dict[Any, list[int]] = {}
        for i, p in enumerate(others[2]):
            alike.setdefault((jnp.shape(p), p.dtype, leaves[i].dtype), []).append(i)
        made: list[Any] = [None for _ in leaves]
        for places in alike.values():
            g, m, v, p = (jnp.stack([a[i] for i in places]) for a in (leaves, *others))
            rows = zip(*stepped(g, m, v, p, left, rate, decay), strict=True)
            for i, row in zip(places, rows, strict=True):
                made[i] = row
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
