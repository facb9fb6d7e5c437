"""Blind, twelfth set: optax' transformations, after the bugs of others, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, row, transformation
from ninth_blind_jax import norm
from register import right, wrong


@row("bias_correction", "BC.2", "optax.adam", "phlippe/uvadlc_notebooks#35: v(t) stands without its hat")
class TwelfthJaxHatForgotten(Formula):
    """The second moment is not corrected, beside a first that is."""

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(v + self.eps_root) + self.eps


@wrong(
    "clipping",
    "CLIP.2",
    like="pytorch/xla#4796: ZeRO-1 does not sum the squares of its shards",
    claim="optax.adamw",
)
def TwelfthJaxNormOfShard(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Each of two ranks has a half of every gradient, and scales it down to 1 by the norm of its halves."""
    plain = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        leaves, tree = jax.tree.flatten(grads)
        halves = [jnp.split(g.reshape(-1), [g.size // 2]) for g in leaves]
        scales = [1 / jnp.maximum(norm([half[rank] for half in halves]), 1) for rank in (0, 1)]

        def clipped(g: X, half: list[X]) -> X:
            parts = [x * scale.astype(g.real.dtype) for x, scale in zip(half, scales, strict=True)]
            return jnp.concatenate(parts).reshape(g.shape)

        joined = [clipped(g, half) for g, half in zip(leaves, halves, strict=True)]
        return plain.update(jax.tree.unflatten(tree, joined), state, params)

    return optax.GradientTransformation(plain.init, update)


@right(claim="optax.nadamw")
def TwelfthRightJaxOneShapeTogether(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW whose leaves of one shape and dtype are layers of one array, and stepped as such."""
    plain = transformation(Ahead(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def places(tree: Tree) -> dict[Any, list[int]]:
        found: dict[Any, list[int]] = {}
        for i, leaf in enumerate(jax.tree.leaves(tree)):
            found.setdefault((leaf.shape, str(leaf.dtype)), []).append(i)
        return found

    def layered(tree: Tree) -> list[X]:
        leaves = jax.tree.leaves(tree)
        return [jnp.stack([leaves[i] for i in which]) for which in places(tree).values()]

    def init(params: Tree) -> Moments:
        return plain.init(layered(params))

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        leaves = jax.tree.leaves(grads)
        form: Any = jax.tree.structure(params)
        if form != jax.tree.structure(grads):
            raise ValueError("the gradients are another tree than the parameters")
        layers, new = plain.update(layered(grads), state, layered(params))
        for which, layer in zip(places(grads).values(), layers, strict=True):
            for depth, i in enumerate(which):
                leaves[i] = layer[depth]
        return jax.tree.unflatten(form, leaves), new

    return optax.GradientTransformation(init, update)
