"""Blind, fifteenth set: an optax transformation after a bug of another, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Moments, Tree, X, transformation
from register import right, wrong


class SquareWithoutConjugate(Formula):
    """The gradient as jax.grad gives it, and the second moment of its square."""

    def seen(self, g: X) -> X:
        return g.conj()

    def second(self, v: X, g: X) -> X:
        return self.b2 * v + ((1 - self.b2) * g) * g


@wrong(
    "complex",
    "CPX.2",
    like="google/jaxopt#169: g ** 2 where |g| ** 2 is meant, and nothing conjugates the gradient",
    claim="optax.adam",
)
def FifteenthBJaxComplexSquare(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Of a complex gradient the second moment has the complex square, and the step the wrong direction."""
    inner = transformation(SquareWithoutConjugate(learning_rate, b1, b2, eps, eps_root, 0.0))

    def init(params: Tree) -> Moments:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return Moments(jnp.zeros((), jnp.int32), zeros, zeros, zeros)

    return optax.GradientTransformation(init, inner.update)


@right(claim="optax.adamw")
def FifteenthBRightJaxTreeUtils(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW by optax' functions of trees: moments, corrections, decay and rate, each a tree of its own."""

    def value(x: X, count: X) -> X:
        return x(count) if callable(x) else x

    def init(params: Tree) -> optax.ScaleByAdamState:
        mu = optax.tree_utils.tree_zeros_like(params)
        nu = jax.tree.map(lambda p: jnp.zeros(p.shape, p.real.dtype), params)
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        mu = optax.tree_utils.tree_update_moment(grads, state.mu, b1, 1)
        nu = optax.tree_utils.tree_update_moment_per_elem_norm(grads, state.nu, b2, 2)
        count = optax.safe_increment(state.count)
        mu_hat = optax.tree_utils.tree_bias_correction(mu, b1, count)
        nu_hat = optax.tree_utils.tree_bias_correction(nu, b2, count)
        quotients = jax.tree.map(lambda m, v: m / (jnp.sqrt(v + eps_root) + eps), mu_hat, nu_hat)
        decay, rate = value(weight_decay, state.count), value(learning_rate, state.count)
        decayed = jax.tree.map(lambda u, p: u + decay * p, quotients, params)
        changes = jax.tree.map(lambda u, p: (-rate * u).astype(p.dtype), decayed, params)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


@right(claim="optax.adam")
def FifteenthBRightJaxPartition(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam in two partitions, one of matrices and one of all else, which have the same settings."""

    def labels(params: Tree) -> Tree:
        return jax.tree.map(lambda p: "matrices" if p.ndim > 1 else "others", params)

    same = {name: optax.adam(learning_rate, b1, b2, eps, eps_root) for name in ("matrices", "others")}
    return optax.partition(same, labels)
