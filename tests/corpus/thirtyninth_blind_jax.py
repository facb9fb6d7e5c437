"""Blind, thirty-ninth set: four reports as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "decay",
    "DEC.2",
    like="FluxML/model-zoo#303: WeightDecay stands behind the optimizer in the chain, without its rate",
    claim="optax.adamw",
)
def ThirtyNinthJaxDecayBehind(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The decay joins behind the learning rate: parameters lose weight_decay*p, whatever the rate."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        wd = at(weight_decay, state.count)
        changes, new = inner.update(grads, state, params)
        return jax.tree.map(lambda u, p: (u - wd * p).astype(u.dtype), changes, params), new

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="whitecircle/halo#30: v is kept in bf16 and rounded to the nearest, which biases it",
    claim="optax.adamw",
)
def ThirtyNinthJaxSecondInBfloat(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The second moment is rounded to the nearest number of bfloat16 whenever it is stored."""
    inner = stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count),
    )

    def rounded(v: X) -> X:
        return jax.lax.reduce_precision(v, exponent_bits=8, mantissa_bits=7)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)
        return changes, new._replace(nu=jax.tree.map(rounded, new.nu))

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/diffusers#9633: warmup steps are multiplied by the steps of accumulation",
    claim="optax.adam",
)
def ThirtyNinthJaxWarmupStretched(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule of rates is four times as long as it should be: each of its values serves four updates."""
    gradient_accumulation_steps = 4
    return stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count // gradient_accumulation_steps)
    )


@wrong(
    "schedule",
    "LR.1",
    like="tracel-ai/burn#5729: the rate's schedule goes on with each micro-batch, not with each update",
    claim="optax.adamw",
)
def ThirtyNinthJaxRateOfMicroBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The schedule of the rate has gone on twice for each update, so that its last micro-batch counts."""
    window = 2
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, window * count + window - 1),
        lambda count: at(weight_decay, count),
    )


@right(claim="optax.adam")
def ThirtyNinthRightJaxReciprocals(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam of optax in one pass over leaves: one function of a tuple, and the average of a difference."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)

        def one(arrays: tuple[X, X, X]) -> tuple[X, X, X]:
            g, m, v = arrays
            m = (m + (1 - b1) * (g - m)).astype(m.dtype)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            below = eps + jnp.sqrt(eps_root + v / left(b2, count, v))
            return (-(m / below) * (rate / left(b1, count, m))).astype(m.dtype), m, v

        leaves, tree = jax.tree.flatten(grads)
        rows = zip(leaves, jax.tree.leaves(state.mu), jax.tree.leaves(state.nu), strict=True)
        made = [one(row) for row in rows]
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.nadamw")
def ThirtyNinthRightJaxAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW of optax whose look-ahead is one sum of two weighed arrays; the decay joins before the rate."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: (b1 * m + (1 - b1) * g).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(lambda v, g: (b2 * v + weights_of(g, b2)).astype(v.dtype), state.nu, grads)

        def change(m: X, v: X, g: X, p: X) -> X:
            after, now = left(b1, count + 1, m), left(b1, count, m)
            ahead = (b1 / after) * m + ((1 - b1) / now) * g
            ratio = ahead / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)
            return (-rate * (ratio + decay * p)).astype(p.dtype)

        return jax.tree.map(change, mu, nu, grads, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
