"""What Adams are made of as optax' transformations; the sets from the twentieth on share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, begun

OfCount = Callable[[X], X]  #: a function of the number of updates before this one


def weights_of(g: X, b2: float) -> X:
    """Return the weighed square of a gradient's modulus."""
    square = ((1 - b2) * g.real) * g.real
    return square + ((1 - b2) * g.imag) * g.imag if jnp.iscomplexobj(g) else square


def left(b: float, t: X, like: X) -> X:
    """Return 1-b**t in the real dtype of an array."""
    return (1 - jnp.asarray(b, jnp.result_type(float)) ** t).astype(like.real.dtype)


def stepped(
    b1: float, b2: float, eps: float, eps_root: float, rate: OfCount, decay: OfCount | None = None
) -> optax.GradientTransformation:
    """Return AdamW whose rate and decay are functions of a count; without a decay, Adam.

    Args:
        b1, b2, eps, eps_root: the hyperparameters, as optax has them.
        rate, decay: from the number of updates before this one to the learning rate, and to the weight decay.
    """

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, lr = optax.safe_increment(state.count), rate(state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def ratio(m: X, v: X) -> X:
            return m / left(b1, count, m) / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)

        made = optax.ScaleByAdamState(count, mu, nu)
        if decay is None:
            return jax.tree.map(lambda m, v: (-lr * ratio(m, v)).astype(m.dtype), mu, nu), made
        wd = decay(state.count)
        return jax.tree.map(
            lambda m, v, p: (-lr * (ratio(m, v) + wd * p)).astype(m.dtype), mu, nu, params
        ), made

    return optax.GradientTransformation(begun, update)
