"""Blind, twenty-eighth set: three reports as optax' transformations, and two right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "moments",
    "MOM.1",
    like="borisdayma/dalle-mini#122: apply_every hands the optimizer micro-steps that have no gradient",
    claim="optax.adamw",
)
def TwentyEighthJaxMicroSteps(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW steps by zeros in every first step of two, and by the sum of both gradients in the second."""
    adam = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)
    return optax.chain(optax.apply_every(2), adam)


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="ooples/AiDotNet#1928: models build their Adam without the rate, and train at its own default",
    claim="optax.adam",
)
def TwentyEighthJaxOwnDefaultRate(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The learning rate that is given, number or schedule, is passed to nobody: it is 0.001 always."""
    default = 1e-3
    return stepped(b1, b2, eps, eps_root, lambda count: default)


@wrong(
    "moments",
    "STEP.1",
    like="longtermrisk/marltoolbox#3: a function that is to return an Adam returns an SGD",
    claim="optax.adam",
)
def TwentyEighthJaxDescent(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """It is SGD: a step is the gradient times the learning rate."""
    return optax.sgd(learning_rate)


@right(claim="optax.adamw")
def TwentyEighthRightJaxRows(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of one row for each dtype, into which gradients and moments are raveled and cut again."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        gs, tree = jax.tree.flatten(grads)
        columns = [gs, *(jax.tree.leaves(x) for x in (state.mu, state.nu, params))]
        kinds: dict[Any, list[int]] = {}
        for i, p in enumerate(columns[3]):
            kinds.setdefault(p.dtype, []).append(i)
        new: list[list[X]] = [[None] * len(gs) for _ in range(3)]
        for members in kinds.values():
            g, m, v, p = (jnp.concatenate([column[i].ravel() for i in members]) for column in columns)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + weights_of(g, b2)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            change = (-rate * (m / left(b1, count, m) / below + decay * p)).astype(p.dtype)
            place = 0
            for i in members:
                part = slice(place, place + gs[i].size)
                for made, whole in zip(new, (change, m, v), strict=True):
                    made[i] = whole[part].reshape(gs[i].shape)
                place += gs[i].size
        changes, mu, nu = (jax.tree.unflatten(tree, column) for column in new)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def TwentyEighthRightJaxTwoHalves(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam as a chain: a transformation for the moments, and one that multiplies by a rate of its count."""

    def normalized(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, grads)
        nu = jax.tree.map(lambda v, g: weights_of(g, b2) + b2 * v, state.nu, grads)

        def ratio(m: X, v: X) -> X:
            return m / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps) / left(b1, count, m)

        return jax.tree.map(ratio, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    moments = optax.GradientTransformation(begun, normalized)
    return optax.chain(moments, optax.scale_by_learning_rate(learning_rate))
