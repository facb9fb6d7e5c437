"""Blind, twenty-eighth set: two reports as optax' transformations, and a right one."""

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
    like="voicepaw/so-vits-svc-fork#291: with manual optimization nobody steps the schedulers of the rate",
    claim="optax.adamw",
)
def TwentyEighthBJaxScheduleNotStepped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates is never stepped: all updates have the rate that it begins with."""
    last_epoch = jnp.zeros((), jnp.int32)
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, last_epoch),
        lambda count: at(weight_decay, count),
    )


@wrong(
    "epsilon hyperparameters",
    "EPS.5",
    like="google-deepmind/optax#882: nothing stands under the root of a second moment of 0: its slope is NaN",
    claim="optax.adamw",
)
def TwentyEighthBJaxNothingUnderRoot(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Under the root stands nothing, whichever eps_root is given."""
    return optax.adamw(learning_rate, b1, b2, eps, 0.0, weight_decay=weight_decay)


@right(claim="optax.adamw")
def TwentyEighthBRightJaxSafeRoot(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose root is drawn of 1 where there is a 0, and is 0 there: its slope is finite."""

    def root(x: X) -> X:
        is_zero = x == 0
        return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, x)))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda g, m: (1 - b1) * g + b1 * m, grads, state.mu)
        nu = jax.tree.map(lambda g, v: weights_of(g, b2) + b2 * v, grads, state.nu)

        def change(p: X, m: X, v: X) -> X:
            below = root(v / left(b2, count, v) + eps_root) + eps
            return -(rate * (m / left(b1, count, m) / below) + rate * decay * p).astype(p.dtype)

        return jax.tree.map(change, params, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
