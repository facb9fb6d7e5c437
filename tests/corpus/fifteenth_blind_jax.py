"""Blind, fifteenth set: an optax transformation after the bug of another, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Moments, Tree, X, transformation
from register import right, wrong


@wrong(
    "clipping",
    "CLIP.1",
    like="sanchit-gandhi/seq2seq-speech#7: the clip stands behind Adam in the chain, and clips its updates",
    claim="optax.adamw",
)
def FifteenthJaxUpdatesClipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The updates of all parameters together are clipped to a norm of 1."""
    max_grad_norm = 1.0
    return optax.chain(
        optax.adamw(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, weight_decay=weight_decay),
        optax.clip_by_global_norm(max_grad_norm),
    )


@right(claim="optax.adamw")
def FifteenthRightJaxNamedChain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as a chain of three that have names, of which the last one is without a state."""

    def rated(updates: Tree, params: Tree = None) -> Tree:
        return jax.tree.map(
            lambda u, p: (-learning_rate * (u + weight_decay * p)).astype(p.dtype), updates, params
        )

    return optax.named_chain(
        ("adam", optax.scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root)),
        ("nothing", optax.identity()),
        ("rate", optax.stateless(rated)),
    )


class Leaves(Formula):
    """AdamW's formula in terms of one inverse."""

    def numerator(self, m: X, g: X, t: X) -> X:
        return m

    def denominator(self, v: X, top: X, t: X) -> X:
        c1 = self.left(self.b1, t).astype(v.dtype)
        return c1 * super().denominator(v, top, t)


@right(claim="optax.adam")
def FifteenthRightJaxFlatLeaves(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam of the list of leaves as rows, whose tree and shapes come back with the updates."""
    inner = transformation(Leaves(learning_rate, b1, b2, eps, eps_root, 0.0))

    def flat(tree: Tree) -> list[X]:
        return [jnp.ravel(x) for x in jax.tree.leaves(tree)]

    def init(params: Tree) -> Moments:
        state: Moments = inner.init(flat(params))
        return state

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Any]:
        rows, new = inner.update(flat(grads), state, flat(grads if params is None else params))
        leaves = jax.tree.leaves(grads)
        shaped = [u.reshape(g.shape) for u, g in zip(rows, leaves, strict=True)]
        return jax.tree.unflatten(jax.tree.structure(grads), shaped), new

    return optax.GradientTransformation(init, update)
