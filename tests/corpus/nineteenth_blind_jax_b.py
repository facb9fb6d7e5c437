"""Blind, nineteenth set: a right Adam as an optax transformation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right


@right(claim="optax.adamw")
def NineteenthBRightJaxTiles(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW over tiles of sixteen numbers, to which every leaf is filled up with zeros, by jax.lax.map."""
    tile = 16

    def tiles(a: X) -> X:
        row = a.reshape(-1)
        return jnp.pad(row, (0, -row.size % tile)).reshape(-1, tile)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        wide = jnp.result_type(float)
        c1, c2 = (1 - jnp.asarray(b, wide) ** count for b in (b1, b2))
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def of_tile(x: tuple[X, X, X, X]) -> tuple[X, X, X]:
            g, m, v, p = x
            m = b1 * m + (1 - b1) * g
            square = ((1 - b2) * g.real) * g.real
            if jnp.iscomplexobj(g):
                square = square + ((1 - b2) * g.imag) * g.imag
            v = b2 * v + square
            below = jnp.sqrt(v / c2.astype(v.dtype) + eps_root) + eps
            quotient = (m / c1.astype(v.dtype)) / below
            return -rate * (quotient + decay * p), m, v

        def leaf(g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
            made = jax.lax.map(of_tile, tuple(tiles(a) for a in (g, m, v, p)))
            u, m, v = (
                new.reshape(-1)[: p.size].reshape(p.shape).astype(old.dtype)
                for new, old in zip(made, (p, m, v), strict=True)
            )
            return u, m, v

        rows = [jax.tree.leaves(a) for a in (grads, state.mu, state.nu, params)]
        made = [leaf(*row) for row in zip(*rows, strict=True)]
        tree = jax.tree.structure(grads)
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
