"""Blind, sixteenth set: right Adams as optax transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Tree, X, transformation
from register import right


@right(claim="optax.adamw")
def SixteenthRightJaxChained(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as a chain of optax' own parts, whose decay is a term that a function of its own makes."""

    def decayed(updates: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return jax.tree.map(lambda u, p: (u + weight_decay * p).astype(u.dtype), updates, params), state

    return optax.chain(
        optax.scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root),
        optax.GradientTransformation(lambda params: optax.EmptyState(), decayed),
        optax.scale_by_learning_rate(learning_rate),
    )


class Weights(Ahead):
    """The look-ahead as a sum of two weights that are formed first."""

    def numerator(self, m: X, g: X, t: X) -> X:
        one = jnp.ones((), jnp.result_type(float))
        now = (1 - self.b1) * one / self.left(self.b1, t)
        after = self.b1 * one / self.left(self.b1, t + 1)
        real = m.real.dtype
        return after.astype(real) * m + now.astype(real) * g

    def denominator(self, v: X, top: X, t: X) -> X:
        root = jnp.sqrt(v / self.left(self.b2, t).astype(v.dtype) + self.eps_root)
        return self.eps + root


@right(claim="optax.nadam")
def SixteenthRightJaxWeightsAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Nadam whose look-ahead has two weights, of the moment and of the gradient."""
    return transformation(Weights(learning_rate, b1, b2, eps, eps_root, 0.0))
