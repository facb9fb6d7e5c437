"""Blind, thirty-ninth set, second half: four reports as optax' transformations, and a right one."""

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
    like="fastai/fastai#3023: the loss is not divided by the number of batches that are accumulated",
    claim="optax.adamw",
)
def ThirtyNinthBJaxSumOfBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Gradients of four batches are added up and not averaged: they are four times too large."""
    n_acc = 4
    inner = stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count), lambda count: at(weight_decay, count)
    )

    def accumulated(g: X) -> X:
        total = jnp.zeros_like(g)
        for _ in range(n_acc):
            total = total + g
        return total

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(accumulated, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "moments",
    "MOM.1",
    like="NVIDIA-NeMo/Automodel#3530: gradients are None again between micro-batches, the last one is left",
    claim="optax.adam",
)
def ThirtyNinthBJaxLastMicroBatch(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Of four micro-batches, each with its quarter of the gradient, the last one alone is stepped by."""
    micro_batches = 4
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def accumulated(g: X) -> X:
        total = jnp.zeros_like(g)
        for _ in range(micro_batches):
            total = jnp.zeros_like(g)  # the stage is initialised again
            total = total + g / micro_batches
        return total

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(accumulated, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="Lornatang/SRGAN-PyTorch#1: StepLR with a step of half the epochs is stepped on each batch",
    claim="optax.adam",
)
def ThirtyNinthBJaxDecadesOfBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The rate becomes a tenth after every ten updates, which were to be ten epochs."""
    epochs, gamma = 20, 0.1

    def rate(count: X) -> X:
        return at(learning_rate, count) * jnp.asarray(gamma, jnp.result_type(float)) ** (
            count // (epochs // 2)
        )

    return stepped(b1, b2, eps, eps_root, rate)


@wrong(
    "schedule",
    "LR.1",
    like="Lightning-AI/pytorch-lightning#4815: a scheduler is stepped in batches of the other optimizer too",
    claim="optax.adamw",
)
def ThirtyNinthBJaxBatchesOfTheOther(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates goes on in the five batches, too, in which the other optimizer is at work."""
    frequencies = (1, 5)

    def batches(count: X) -> X:
        return count * (sum(frequencies) // frequencies[0])

    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, batches(count)), lambda count: at(weight_decay, count),
    )  # fmt: skip


@right(claim="optax.adamw")
def ThirtyNinthBRightJaxTwoStages(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW in two passes over tuples of leaves: all moments, then all changes, with one factor for both."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        (ps, tree), gs = jax.tree.flatten(params), jax.tree.leaves(grads)
        ms = tuple(
            (m - (1 - b1) * (m - g)).astype(m.dtype)
            for m, g in zip(jax.tree.leaves(state.mu), gs, strict=True)
        )
        vs = tuple(
            (weights_of(g, b2) + b2 * v).astype(v.dtype)
            for v, g in zip(jax.tree.leaves(state.nu), gs, strict=True)
        )

        def change(p: X, m: X, v: X) -> X:
            below = jnp.sqrt(v * (1 / left(b2, count, v)) + eps_root) + eps
            return ((m / below * (1 / left(b1, count, m)) + decay * p) * -rate).astype(p.dtype)

        changes = [change(*arrays) for arrays in zip(ps, ms, vs, strict=True)]
        made = (jax.tree.unflatten(tree, list(row)) for row in (changes, ms, vs))
        first, mu, nu = made
        return first, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
