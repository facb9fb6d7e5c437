"""Blind, thirty-fourth set, second half: counts and clips as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


def length(tree: Tree) -> X:
    """Return the norm of all finite numbers of a tree, formed of parts of the largest."""
    sizes = [jnp.where(jnp.isfinite(x), jnp.abs(x), 0).reshape(-1) for x in jax.tree.leaves(tree)]
    row = jnp.concatenate([jnp.zeros(0), *sizes]).astype(jnp.result_type(float))
    largest = jnp.max(row, initial=0.0)
    return largest * jnp.sqrt(jnp.sum((row / jnp.where(largest > 0, largest, 1)) ** 2))


@wrong(
    "clock schedule",
    "CLK.2",
    like="jpata/particleflow#145: the wrapper's apply_gradients does not increment iterations",
    claim="optax.adam",
)
def ThirtyFourthBJaxIterationsStand(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Nobody counts: each update is the first, in its corrections and for the schedule."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)
        return changes, new._replace(count=state.count)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="dmlc/gluon-cv#699: the script updates the scheduler, and Trainer.step does so too",
    claim="optax.adam",
)
def ThirtyFourthBJaxUpdatedByHand(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The schedule goes on by one before each update, by hand, and by one more in it."""
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, 2 * count + 1))


@wrong(
    "schedule",
    "LR.1",
    like="mindspore-lab/mindone#205: from MindSpore 2.2 on the optimizer has to raise global_step itself",
    claim="optax.adamw",
)
def ThirtyFourthBJaxGlobalStepStands(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The global step, of which the schedule is a function, is raised by nobody: the first rate stays."""
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, jnp.zeros_like(count)), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "clipping",
    "CLIP.2",
    like="google/praxis#6: the static accumulator clips the gradient of each sub-batch",
    claim="optax.adamw",
)
def ThirtyFourthBJaxClipsSubBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Two sub-batches have every second element each: both are cut to a norm of 1, and then averaged."""
    num_sub_batches, max_norm = 2, 1.0
    inner = stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count), lambda count: at(weight_decay, count)
    )

    def sub_batch(g: X, k: int) -> X:
        own = (jnp.arange(g.size) % num_sub_batches == k).reshape(g.shape)
        return jnp.where(own, g * num_sub_batches, jnp.zeros_like(g))

    def clipped(tree: Tree) -> Tree:
        norm = length(tree)
        factor = jnp.where(norm > max_norm, max_norm / (norm + 1e-6), 1)
        return jax.tree.map(lambda g: g * factor.astype(g.real.dtype), tree)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        total = jax.tree.map(jnp.zeros_like, grads)
        for k in range(num_sub_batches):
            part = clipped(jax.tree.map(lambda g, k=k: sub_batch(g, k), grads))
            total = jax.tree.map(jnp.add, total, part)
        return inner.update(jax.tree.map(lambda g: g / num_sub_batches, total), state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtyFourthBRightJaxByDtype(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW over one row for each dtype of the parameters, put together and cut up in each update."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        columns = [jax.tree.leaves(tree) for tree in (params, grads, state.mu, state.nu)]
        like, outer = columns[0], jax.tree.structure(params)
        made: list[list[X]] = [[p, p, p] for p in like]
        for dtype in dict.fromkeys(p.dtype for p in like):
            places = [i for i, p in enumerate(like) if p.dtype == dtype]
            p, g, m, v = (jnp.concatenate([c[i].reshape(-1) for i in places]) for c in columns)
            m = (b1 * m + (1 - b1) * g).astype(m.dtype)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            change = (-rate * (m / left(b1, count, m) / below + decay * p)).astype(dtype)
            begin = 0
            for i in places:
                part = slice(begin, begin + like[i].size)
                made[i] = [row[part].reshape(like[i].shape) for row in (change, m, v)]
                begin = part.stop
        changes, mu, nu = (jax.tree.unflatten(outer, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def ThirtyFourthBRightJaxCounted(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam as a wrapper that has been mended: the inner one knows no clock, and the outer one counts."""

    def scaled(m: X, v: X, c1: X, c2: X) -> X:
        root = jnp.sqrt(v + eps_root * c2.astype(v.dtype)) / jnp.sqrt(c2).astype(v.dtype)
        return (m / (root + eps)) / c1.astype(v.dtype)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        iterations = state.count + jnp.ones_like(state.count)
        iterations = jnp.where(iterations > state.count, iterations, state.count)
        wide = jnp.zeros((), jnp.result_type(float))
        c1, c2 = left(b1, iterations, wide), left(b2, iterations, wide)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, grads)
        nu = jax.tree.map(lambda v, g: (b2 * v + weights_of(g, b2)).astype(v.dtype), state.nu, grads)
        rate = at(learning_rate, state.count)
        changes = jax.tree.map(lambda m, v: (-(rate * scaled(m, v, c1, c2))).astype(m.dtype), mu, nu)
        return changes, state._replace(count=iterations, mu=mu, nu=nu)

    return optax.GradientTransformation(begun, update)
