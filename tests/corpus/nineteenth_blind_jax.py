"""Blind, nineteenth set: right Adams as optax transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Tree, X, at, transformation
from register import right


@right(claim="optax.adam")
def NineteenthRightJaxWeighedStacks(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam whose moments are each a row of weights times a stack of terms, which einsum contracts."""

    def weighed(weights: tuple[float, ...], *terms: X) -> X:
        row = jnp.asarray(weights, terms[0].real.dtype)
        return jnp.einsum("k,k...->...", row, jnp.stack(terms), precision="highest")

    def left(b: float, t: X) -> X:
        wide = jnp.result_type(float)
        return -jnp.expm1(t.astype(wide) * jnp.log(jnp.asarray(b, wide)))

    def power(g: X) -> X:
        parts = (g.real, g.imag) if jnp.iscomplexobj(g) else (g,)
        return sum(((1 - b2) * part) * part for part in parts)

    def init(params: Tree) -> optax.ScaleByAdamState:
        mu = jax.tree.map(jnp.zeros_like, params)
        nu = jax.tree.map(lambda p: jnp.zeros(p.shape, p.real.dtype), params)
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        t = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: weighed((b1, 1 - b1), m, g), state.mu, grads)
        nu = jax.tree.map(lambda v, g: weighed((b2, 1.0), v, power(g)), state.nu, grads)

        def change(m: X, v: X) -> X:
            first, second = (left(b, t).astype(v.dtype) for b in (b1, b2))
            below = jnp.sqrt(v / second + eps_root) + eps
            return (m / below * (-rate / first)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(t, mu, nu)

    return optax.GradientTransformation(init, update)


class FarthestOfTwo(Formula):
    """The greatest corrected second moment by a reduction, and a change by what is left of both."""

    def first(self, m: X, g: X) -> X:
        return self.b1 * m + (1 - self.b1) * g

    def highest(self, top: X, v: X, t: X) -> X:
        reciprocal = (1 / self.left(self.b2, t)).astype(v.dtype)
        return jnp.max(jnp.stack([top, v * reciprocal]), axis=0)

    def numerator(self, m: X, g: X, t: X) -> X:
        return m * (1 / self.left(self.b1, t)).astype(m.real.dtype)

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(top + self.eps_root) + self.eps

    def change(self, u: X, g: X, p: X) -> X:
        return jnp.negative(self.lr * u)


@right(claim="optax.amsgrad")
def NineteenthRightJaxReduced(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad whose greatest moment is the maximum along the axis of a stack, with reciprocal corrections."""
    return transformation(FarthestOfTwo(learning_rate, b1, b2, eps, eps_root, 0.0))
