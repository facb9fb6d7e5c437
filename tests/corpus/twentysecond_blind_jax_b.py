"""Blind, twenty-second set: two reports of schedules, as optax' transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, counting_bad
from register import wrong
from twentieth_blind_frame_jax import stepped


@wrong(
    "loss_scale schedule",
    "SCALE.2",
    like="huggingface/accelerate#301: the scheduler advances on updates that mixed precision has skipped",
    claim="optax.adam",
)
def TwentySecondBJaxSchedulerOnSkipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """An overflow skips parameters, moments and clock; the schedule of rates goes on to its next value."""
    inner = optax.chain(
        optax.scale_by_adam(b1, b2, eps, eps_root), optax.scale_by_learning_rate(learning_rate)
    )

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        changes, (adam, scheduled) = inner.update(grads, state, params)
        changes = jax.tree.map(lambda c: jnp.where(finite, c, jnp.zeros_like(c)), changes)
        adam = jax.tree.map(lambda new, old: jnp.where(finite, new, old), adam, state[0])
        return changes, (adam, scheduled)

    return counting_bad(inner, step)


@wrong(
    "schedule",
    "LR.1",
    like="AI-Hypercomputer/maxtext#3452: the schedule's steps are micro-batches, the optimizer's are updates",
    claim="optax.adamw",
)
def TwentySecondBJaxStepsOfMicroBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule is four times too long, the number of micro-batches: each rate is that of four updates."""
    micro_batches = 4
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count // micro_batches),
        lambda count: at(weight_decay, count),
    )
