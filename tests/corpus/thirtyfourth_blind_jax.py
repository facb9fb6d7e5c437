"""Blind, thirty-fourth set: two reports as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "schedule",
    "LR.1",
    like="micdoh/XLRON#34: the schedule's unit is not that of the counter, its horizon is never gone through",
    claim="optax.adam",
)
def ThirtyFourthJaxScheduleOfRollouts(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule of rates, which is one of updates, is called with the number of rollouts of eight."""
    minibatches, epochs = 4, 2
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count // (minibatches * epochs)))


@wrong(
    "schedule clock",
    "LR.1",
    like="horovod/horovod#1676: a delta is reduced each n passes, and the global step counts each pass",
    claim="optax.adamw",
)
def ThirtyFourthJaxGlobalStepOfPasses(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Schedules are called with the number of backward passes, of which an update has two."""
    backward_passes_per_step = 2
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count * backward_passes_per_step),
        lambda count: at(weight_decay, count * backward_passes_per_step),
    )


@right(claim="optax.adamw")
def ThirtyFourthRightJaxTriples(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW by one map over leaves to triples of change and moments, and a transposition of their tree."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def triple(p: X, g: X, m: X, v: X) -> tuple[X, X, X]:
            mu = (m * b1 + g * (1 - b1)).astype(m.dtype)
            nu = (v * b2 + weights_of(g, b2)).astype(v.dtype)
            below = jnp.sqrt(nu / left(b2, count, nu) + eps_root) + eps
            whole = mu / left(b1, count, mu) / below + decay * p
            return (whole * -rate).astype(p.dtype), mu, nu

        triples = jax.tree.map(triple, params, grads, state.mu, state.nu)
        outer, inner = jax.tree.structure(params), jax.tree.structure((0, 0, 0))
        changes, mu, nu = jax.tree.transpose(outer, inner, triples)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
