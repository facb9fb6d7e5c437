"""Blind, twenty-third set: two reports of schedules as optax' transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "schedule",
    "LR.1",
    like="apache/mxnet#12713: a scheduler is shared, and a trainer has an update for each GPU",
    claim="optax.adam",
)
def TwentyThirdJaxCountOfDevices(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The scheduler counts the updates of both devices: a schedule of rates goes on twice as fast."""
    devices = 2
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count * devices))


@wrong(
    "schedule layout",
    "LR.1",
    like="OverLordGoldDragon/keras-adamw#47: the last weight's eta_t is one ahead of the others'",
    claim="optax.adamw",
)
def TwentyThirdJaxLastIsOneAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The counter of the schedule is advanced before the last array is stepped, which has the next rate."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        decay = at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)
        weights, tree = jax.tree.flatten(params)
        pairs = zip(jax.tree.leaves(mu), jax.tree.leaves(nu), weights, strict=True)
        t_cur, changes = state.count, []
        for i, (m, v, p) in enumerate(pairs):
            if i == len(weights) - 1:
                t_cur = count
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            moved = m / left(b1, count, m) / below + decay * p
            changes.append((-at(learning_rate, t_cur) * moved).astype(p.dtype))
        return jax.tree.unflatten(tree, changes), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
