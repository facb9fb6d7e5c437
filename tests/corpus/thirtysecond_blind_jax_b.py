"""Blind, thirty-second set: reports of sums, clocks and norms as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


def length(x: X) -> X:
    """Return the norm of the finite numbers of an array, formed of parts of the largest."""
    sizes = jnp.where(jnp.isfinite(x), jnp.abs(x), 0)
    largest = jnp.max(sizes, initial=0.0)
    return largest * jnp.sqrt(jnp.sum((sizes / jnp.where(largest > 0, largest, 1)) ** 2))


@wrong(
    "moments epsilon",
    "MOM.1",
    like="NVIDIA-NeMo/RL#86: gradients of micro-batches are added up, and not divided by their number",
    claim="optax.adamw",
)
def ThirtySecondBJaxSummed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The gradients of eight micro-batches are added up: moments see eight times their mean."""
    micro_batches = 8
    inner = stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count), lambda count: at(weight_decay, count)
    )

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        total = jax.tree.map(jnp.zeros_like, grads)
        for _ in range(micro_batches):
            total = jax.tree.map(jnp.add, total, grads)
        return inner.update(total, state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="Lightning-AI/pytorch-lightning#2817: a first epoch counts batches, later ones windows of them",
    claim="optax.adam",
)
def ThirtySecondBJaxFirstEpochInBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """In the first six updates a schedule goes on by two for each, the batches of a window; then by one."""
    accumulate, epoch = 2, 6

    def rate(count: X) -> X:
        first = jnp.minimum(count, epoch)
        return at(learning_rate, first * accumulate + (count - first))

    return stepped(b1, b2, eps, eps_root, rate)


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/accelerate#843: the scheduler steps once for each process, and beyond total_steps",
    claim="optax.adamw",
)
def ThirtySecondBJaxStepForEachProcess(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """With each update a schedule is stepped for each of two processes, and so runs beyond its end."""
    num_processes = 2
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count * num_processes), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule zero_gradient",
    "LR.2",
    like="marin-community/marin#9054: AdamH divides by the norm of the new parameter, which has no floor",
    claim="optax.adam",
)
def ThirtySecondBJaxNormWithoutFloor(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A change is divided by the new parameter's norm and multiplied by it: NaN, where the new one is 0."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)

        def rescaled(change: X, p: X) -> X:
            norm = length(p + change)
            return change * (norm / norm).astype(change.real.dtype)

        return jax.tree.map(rescaled, changes, params), new

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adam")
def ThirtySecondBRightJaxNormWithFloor(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam that divides by the new parameter's norm and multiplies by it, with 1 in the place of 0."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)

        def rescaled(change: X, p: X) -> X:
            norm = length(p + change)
            norm = jnp.where(norm > 0, norm, 1)
            return change * (norm / norm).astype(change.real.dtype)

        return jax.tree.map(rescaled, changes, params), new

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtySecondBRightJaxPairs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose three results of a leaf are one tuple, of trees that are transposed behind the step."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = (at(x, state.count) for x in (learning_rate, weight_decay))

        def one(p: X, g: X, m: X, v: X) -> tuple[X, X, X]:
            m = m + (1 - b1) * (g - m)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            step = (rate / left(b1, count, m)) * (m / below)
            return (-(rate * decay * p) - step).astype(p.dtype), m, v

        made = jax.tree.map(one, params, grads, state.mu, state.nu)
        outer, inner = jax.tree.structure(params), jax.tree.structure((0, 0, 0))
        changes, mu, nu = jax.tree.transpose(outer, inner, made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
