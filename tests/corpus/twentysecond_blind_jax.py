"""Blind, twenty-second set: two reports as optax' transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import wrong
from twentieth_blind_frame_jax import left, weights_of


@wrong(
    "storage mixed_precision",
    "MOM.4",
    like="AI-Hypercomputer/maxtext#495: a decay of a wider type makes the state of that type",
    claim="optax.adamw",
)
def TwentySecondJaxDecayIsWide(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Decays are computed of the count in float64: moments of float32 are float64 behind the first update."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        step = count.astype(jnp.result_type(float))

        def bias_corrected_decay(b: float) -> X:
            return b * (1 - b ** (step - 1)) / (1 - b**step)

        def average(b: float, old: X, x: X) -> X:
            before, after = 1 - b ** (step - 1), 1 - b**step
            own = bias_corrected_decay(b)  # of averages that are corrected, as which they are taken here
            unbiased = jnp.where(before > 0, old / jnp.where(before > 0, before, 1), 0)
            return after * own * unbiased + x

        mu = jax.tree.map(lambda m, g: average(b1, m, (1 - b1) * g), state.mu, grads)
        nu = jax.tree.map(lambda v, g: average(b2, v, weights_of(g, b2)), state.nu, grads)

        def change(m: X, v: X, p: X) -> X:
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return (-rate * (m / left(b1, count, m) / below + decay * p)).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "epsilon mixed_precision",
    "EPS.6",
    like="google-deepmind/optax#1790: epsilon is added in the dtype of the updates; in float16 it is 0",
    claim="optax.adam",
)
def TwentySecondJaxUpdatesInHalf(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """An update is divided in float16, to which epsilon is brought: where a gradient is 0 it is NaN."""
    half = jnp.float16

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X) -> X:
            root = jnp.sqrt(v / left(b2, count, v) + eps_root).astype(half)
            below = (root + jnp.asarray(eps, half)).astype(v.dtype)
            return (-rate * (m / left(b1, count, m) / below)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
