"""Blind, thirty-fifth set, second half: reports as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "decay layout",
    "DEC.2",
    like="huggingface/transformers#11964: the mask of the decay is turned round, it has biases and norms",
    claim="optax.adamw",
)
def ThirtyFifthBJaxMaskFlipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Biases and scales decay, arrays of less than two dimensions, and matrices do not."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def decay_mask(params: Tree) -> Tree:
        return jax.tree.map(lambda p: jnp.ndim(p) < 2, params)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        decay = at(learning_rate, state.count) * at(weight_decay, state.count)
        changes, new = inner.update(grads, state, params)

        def decayed(change: X, p: X, has_decay: bool) -> X:
            return (change - decay * p).astype(change.dtype) if has_decay else change

        return jax.tree.map(decayed, changes, params, decay_mask(params)), new

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="pytorch/pytorch#20086: CosineAnnealingLR is a recursion, and to read it makes one more turn of it",
    claim="optax.adam",
)
def ThirtyFifthBJaxReadTwice(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The rate is one turn of a recursion too far: this update's, times its ratio to the one before."""

    def get_lr(count: X) -> X:
        now, before = at(learning_rate, count), at(learning_rate, jnp.maximum(count - 1, 0))
        return now * jnp.where(before == 0, 1.0, now / jnp.where(before == 0, 1.0, before))

    return stepped(b1, b2, eps, eps_root, get_lr)


@wrong(
    "storage mixed_precision",
    "NUM.1",
    like="mindspore-lab/mindone#843: bf16 training has no float32 parameters that are updated",
    claim="optax.adamw",
)
def ThirtyFifthBJaxWithoutMasters(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Parameters are bfloat16 behind each update: what is smaller than their last digit is lost."""
    inner = stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count), lambda count: at(weight_decay, count)
    )

    def brain(x: X) -> X:
        if jnp.iscomplexobj(x):
            return jax.lax.complex(brain(x.real), brain(x.imag))
        return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)
        return jax.tree.map(lambda p, change: brain(p + change) - p, params, changes), new

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtyFifthBRightJaxMaskOfTrue(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW with a mask of the decay that has every leaf, and coefficients that are formed for each dtype."""

    def coefficients(count: X, like: X) -> tuple[X, X]:
        return 1 / left(b1, count, like), left(b2, count, like)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        mask = jax.tree.map(lambda p: True, params)
        mu = jax.tree.map(lambda g, m: ((1 - b1) * g + b1 * m).astype(m.dtype), grads, state.mu)
        nu = jax.tree.map(lambda g, v: (weights_of(g, b2) + b2 * v).astype(v.dtype), grads, state.nu)

        def change(m: X, v: X, p: X, has_decay: bool) -> X:
            unbias, c2 = coefficients(count, v)
            u = (m / (jnp.sqrt(v / c2 + eps_root) + eps)) * unbias
            return (-rate * (u + decay * p if has_decay else u)).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params, mask), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
