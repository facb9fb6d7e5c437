"""Blind, twenty-sixth set: reports of schedules and squares as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun, counting_bad
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/accelerate#1382: the wrapper steps a scheduler once for each process and update",
    claim="optax.adamw",
)
def TwentySixthBJaxScheduleForEachProcess(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule ticks twice for each update, once for each of two processes: the rate is far ahead."""
    num_processes = 2
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count * num_processes), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "moments",
    "MOM.2",
    like="google-deepmind/optax#1130: the prediction error is from the first moment of the step before",
    claim="optax.adam",
)
def TwentySixthBJaxErrorOfFormerMoment(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The second moment is of the gradient without the first moment that the step before left."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)
        error = jax.tree.map(lambda g, m: g - m, grads, state.mu)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, e: b2 * v + weights_of(e, b2), state.nu, error)

        def change(m: X, v: X) -> X:
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return (-rate * (m / left(b1, count, m) / below)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "loss_scale schedule",
    "SCALE.2",
    like="huggingface/transformers#11144: the scaler skips the optimizer's step, the schedule goes on",
    claim="optax.adamw",
)
def TwentySixthBJaxScheduleOfSkippedSteps(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A skipped step leaves parameters and moments, and takes a value of the schedule all the same."""
    inner = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        changes, (adam, *rest) = inner.update(grads, state, params)
        changes = jax.tree.map(lambda c: jnp.where(finite, c, jnp.zeros_like(c)), changes)
        adam = jax.tree.map(lambda new, old: jnp.where(finite, new, old), adam, state[0])
        return changes, (adam, *rest)

    return counting_bad(inner, step)


@wrong(
    "schedule",
    "LR.1",
    like="aimagelab/meshed-memory-transformer#71: scheduler.step() is called per batch, and per epoch too",
    claim="optax.adam",
)
def TwentySixthBJaxTickOfEpoch(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule ticks in each update, and once more at the beginning of each epoch of five."""
    epoch = 5
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count + count // epoch + 1))


@right(claim="optax.adamw")
def TwentySixthBRightJaxVmap(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of a single number, which jax.vmap maps over all numbers of a leaf."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        lr, wd = at(learning_rate, state.count), at(weight_decay, state.count)

        def number(g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
            m = m + (1 - b1) * (g - m)
            v = b2 * v + weights_of(g, b2)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return -lr * (wd * p + m / left(b1, count, m) / below), m, v

        def leaf(*arrays: X) -> tuple[X, ...]:
            made = jax.vmap(number)(*(a.reshape(-1) for a in arrays))
            given = (arrays[3], arrays[1], arrays[2])
            return tuple(
                row.reshape(old.shape).astype(old.dtype) for row, old in zip(made, given, strict=True)
            )

        leaves = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu, params)]
        made = [leaf(*arrays) for arrays in zip(*leaves, strict=True)]
        tree = jax.tree.structure(grads)
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
