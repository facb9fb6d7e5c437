"""Blind, twenty-first set: two reports as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, weights_of

WARMUP = 4


def joined(schedule: X, count: X) -> X:
    """Return the rate of a warmup of four updates and of what comes behind it, which is counted from 1."""

    def decay(step: X) -> X:
        return schedule(WARMUP + step)

    if not callable(schedule):
        return schedule
    return jnp.where(count < WARMUP, schedule(count), decay(count - WARMUP + 1))


@wrong(
    "schedule",
    "LR.1",
    like="ml-explore/mlx#2617: a joined cosine begins one step off from its warmup, whose peak is left out",
    claim="optax.adamw",
)
def TwentyFirstJaxPeakLeftOut(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Behind four updates a schedule is one update ahead: the rate where its warmup ends is never used."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = joined(learning_rate, state.count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X, p: X) -> X:
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return (-rate * (m / left(b1, count, m) / below + decay * p)).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


def naively_clipped(max_norm: float) -> optax.GradientTransformation:
    """Return a clip by the root of the sum of all squares, as they are in the gradients' dtype."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        squares = [jnp.sum(jnp.abs(g) ** 2) for g in jax.tree.leaves(grads)]
        norm = jnp.sqrt(sum(squares))
        factor = jnp.where(norm > max_norm, max_norm / norm, 1.0)
        return jax.tree.map(lambda g: (g * factor).astype(g.dtype), grads), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


@wrong(
    "clipping",
    "CLIP.5",
    like="FeRx-NLME/ferx-core#1112: an enormous gradient is clipped by a norm whose squares overflow",
    claim="optax.adam",
)
def TwentyFirstJaxNormOverflows(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Gradients are clipped to a norm of 1 by one that is infinite for large ones, which makes them all 0."""
    return optax.chain(naively_clipped(1.0), optax.adam(learning_rate, b1, b2, eps, eps_root))


@right(claim="optax.adamw")
def TwentyFirstRightJaxOneElement(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW written for one element, and vectorized: a leaf's numbers go through it side by side."""

    def element(g: X, m: X, v: X, p: X, numbers: X) -> tuple[X, X, X]:
        rate, decay, left1, left2 = numbers
        m = m * b1 + g * (1 - b1)
        v = v * b2 + weights_of(g, b2)
        step = m / (jnp.sqrt(v / left2 + eps_root) + eps) * (rate / left1)
        return -(step + rate * decay * p), m, v

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def leaf(g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
            own = [jnp.asarray(x, v.dtype) for x in (rate, decay)]
            numbers = (*own, left(b1, count, v), left(b2, count, v))
            given: list[X] = [*(a.reshape(-1) for a in (g, m, v, p)), numbers]
            made = jax.vmap(element, in_axes=(0, 0, 0, 0, None))(*given)
            return tuple(
                new.reshape(old.shape).astype(old.dtype) for new, old in zip(made, (p, m, v), strict=True)
            )

        tree = jax.tree.structure(grads)
        triples = [
            leaf(*x) for x in zip(*map(jax.tree.leaves, (grads, state.mu, state.nu, params)), strict=True)
        ]
        changes, mu, nu = (jax.tree.unflatten(tree, [triple[k] for triple in triples]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
