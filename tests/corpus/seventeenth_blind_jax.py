"""Blind, seventeenth set: right Adams as optax transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Tree, X, at, transformation
from register import right


@right(claim="optax.adamw")
def SeventeenthRightJaxElements(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of one element, which jax.vmap takes to all elements of a leaf."""

    def element(g: X, m: X, v: X, p: X, c1: X, c2: X, rate: X) -> tuple[X, X, X]:
        m = b1 * m + (1 - b1) * g
        parts = (g.real, g.imag) if jnp.iscomplexobj(g) else (g,)
        v = b2 * v + sum(((1 - b2) * part) * part for part in parts)
        quotient = (m / c1) / (jnp.sqrt(v / c2 + eps_root) + eps)
        return -(rate * quotient + rate * (weight_decay * p)), m, v

    def leaf(g: X, m: X, v: X, p: X, t: X, rate: X) -> tuple[X, X, X]:
        wide = jnp.result_type(float)
        c1, c2 = ((1 - jnp.asarray(b, wide) ** t.astype(wide)).astype(v.dtype) for b in (b1, b2))
        rows = [a.reshape(-1) for a in (g, m, v, p)]
        over: Any = jax.vmap(element, (0, 0, 0, 0, None, None, None))
        made = over(*rows, c1, c2, jnp.asarray(rate, v.dtype))
        u, m, v = (new.reshape(p.shape).astype(old.dtype) for new, old in zip(made, (p, m, v), strict=True))
        return u, m, v

    def init(params: Tree) -> optax.ScaleByAdamState:
        squares = jax.tree.map(lambda p: jnp.zeros(p.shape, p.real.dtype), params)
        zeros = jax.tree.map(jnp.zeros_like, params)
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), zeros, squares)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        t = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)
        made = jax.tree.map(lambda g, m, v, p: leaf(g, m, v, p, t, rate), grads, state.mu, state.nu, params)
        outer = jax.tree.structure(grads)
        inner = jax.tree.structure((0, 0, 0))
        changes, mu, nu = jax.tree.transpose(outer, inner, made)
        return changes, optax.ScaleByAdamState(t, mu, nu)

    return optax.GradientTransformation(init, update)


class OneQuotient(Ahead):
    """The look-ahead over a common divisor of both corrections, and the root over its own correction's."""

    def numerator(self, m: X, g: X, t: X) -> X:
        now, after = self.left(self.b1, t), self.left(self.b1, t + 1)
        weights = (self.b1 * now, (1 - self.b1) * after)
        first, second = (weight.astype(m.real.dtype) for weight in weights)
        return (first * m + second * g) / (now * after).astype(m.real.dtype)

    def denominator(self, v: X, top: X, t: X) -> X:
        c2 = self.left(self.b2, t)
        inner = jnp.sqrt(v + (self.eps_root * c2).astype(v.dtype))
        return inner / jnp.sqrt(c2).astype(v.dtype) + self.eps

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * u - (self.lr * self.wd) * p


@right(claim="optax.nadamw")
def SeventeenthRightJaxCommonDivisor(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Nadam with decay, whose look-ahead is one quotient with both corrections of the first moment."""
    return transformation(OneQuotient(learning_rate, b1, b2, eps, eps_root, weight_decay))
