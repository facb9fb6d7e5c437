"""Blind, twenty-fourth set: two reports as optax' transformations, and two right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Moments, Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, weights_of


@wrong(
    "bias_correction clock",
    "BC.1",
    like="jax-ml/jax#4834: the step that opt_update is called with is not that of PyTorch's Adam",
    claim="optax.adam",
)
def TwentyFourthBJaxIndexStays(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The index of each step is 0, so that all of them have the corrections of the first."""
    i = 0

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        rate = at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X) -> X:
            below = jnp.sqrt(v / left(b2, i + 1, v) + eps_root) + eps
            return (-rate * (m / left(b1, i + 1, m) / below)).astype(m.dtype)

        count = optax.safe_increment(state.count)
        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="meta-pytorch/torchrec#2271: gradients are clipped by the norm of each rank's local shard",
    claim="optax.adam",
)
def TwentyFourthBJaxNormOfShard(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Two ranks hold a half of each array, and each cuts its gradients to a norm of 1 by its own."""
    inner, max_norm, ranks = optax.adam(learning_rate, b1, b2, eps, eps_root), 1.0, 2

    def local(grads: list[X]) -> list[X]:
        norm = jnp.sqrt(sum((jnp.sum(jnp.abs(g) ** 2) for g in grads), start=jnp.zeros(())))
        factor = jnp.where(norm > max_norm, max_norm / norm, 1.0)
        return [(g * factor).astype(g.dtype) for g in grads]

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        leaves, tree = jax.tree.flatten(grads)
        shards = [jnp.array_split(g.reshape(-1), ranks) for g in leaves]
        clipped = [local([own[rank] for own in shards]) for rank in range(ranks)]
        whole = [
            jnp.concatenate([clipped[rank][i] for rank in range(ranks)]).reshape(g.shape)
            for i, g in enumerate(leaves)
        ]
        return inner.update(jax.tree.unflatten(tree, whole), state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def TwentyFourthBRightJaxChained(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose averages move by differences, and whose two parts are scaled and added leaf by leaf."""

    def average(m: X, g: X) -> X:
        w = 1 - b1
        return m + w * (g - m) if w < 0.5 else b1 * m + w * g

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        leaves, tree = jax.tree.flatten(grads)
        old = [jax.tree.leaves(x) for x in (state.mu, state.nu, params)]
        mu, nu, changes = [], [], []
        for g, m, v, p in zip(leaves, *old, strict=True):
            first, second = average(m, g), b2 * v + weights_of(g, b2)
            below = jnp.sqrt(second / left(b2, count, second) + eps_root) + eps
            u = first / (below * left(b1, count, first))
            changes.append((-(rate * u) - rate * (decay * p)).astype(p.dtype))
            mu.append(first)
            nu.append(second)
        made = [jax.tree.unflatten(tree, x) for x in (changes, mu, nu)]
        return made[0], optax.ScaleByAdamState(count, made[1], made[2])

    return optax.GradientTransformation(begun, update)


@right(claim="optax.amsgrad")
def TwentyFourthBRightJaxGreatest(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad of the corrected second moment, in one map whose quadruples are transposed into trees."""

    def init(params: Tree) -> Moments:
        start = begun(params)
        return Moments(start.count, start.mu, start.nu, jax.tree.map(jnp.copy, start.nu))

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        count = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)

        def one(g: X, m: X, v: X, top: X) -> tuple[X, X, X, X]:
            m, v = b1 * m + (1 - b1) * g, b2 * v + weights_of(g, b2)
            top = jnp.maximum(top, v / left(b2, count, v))
            u = (m / left(b1, count, m)) / (jnp.sqrt(top + eps_root) + eps)
            return (-rate * u).astype(m.dtype), m, v, top

        made = jax.tree.map(one, grads, state.mu, state.nu, state.nu_max)
        trees = jax.tree.transpose(jax.tree.structure(grads), jax.tree.structure((0,) * 4), made)
        return trees[0], Moments(count, *trees[1:])

    return optax.GradientTransformation(init, update)
