"""Blind, twenty-seventh set: two reports as optax' transformations, and a right one."""

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
    like="h2oai/h2o-llmstudio#663: the scheduler is stepped at every batch, the optimizer once a window",
    claim="optax.adamw",
)
def TwentySeventhJaxScheduleOfBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates is called with the number of batches so far, of which an update has four."""
    window = 4
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count * window + window - 1),
        lambda count: at(weight_decay, count),
    )


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="marin-community/levanter#1147: what Muon leaves to AdamW decays by Muon's own weight decay",
    claim="optax.adamw",
)
def TwentySeventhJaxDecayOfMuon(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Arrays that are no matrices decay by a number of Muon's, and not by the weight decay that is given."""
    muon_weight_decay = 0.1

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X, p: X) -> X:
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            own = decay if p.ndim == 2 else muon_weight_decay
            return (-rate * (m / left(b1, count, m) / below + own * p)).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adamw")
def TwentySeventhRightJaxPairs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW leaf by leaf in a loop, with differences in the place of averages and roots over roots."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        leaves, tree = jax.tree.flatten(params)
        rows = (jax.tree.leaves(x) for x in (grads, state.mu, state.nu))
        made = []
        for p, g, m, v in zip(leaves, *rows, strict=True):
            first = (m + (1 - b1) * (g - m)).astype(m.dtype)
            second = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            c1, c2 = left(b1, count, m), left(b2, count, v)
            below = jnp.sqrt(second + eps_root * c2) / jnp.sqrt(c2) + eps
            change = -rate * ((first / below) / c1) - (rate * decay) * p
            made.append((change.astype(p.dtype), first, second))
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
