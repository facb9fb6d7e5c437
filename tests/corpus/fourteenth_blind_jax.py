"""Blind, fourteenth set: optax' transformations, after the bugs of others, and a right one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, row, transformation
from register import right, wrong


@row(
    "moments",
    "MOM.1",
    "optax.adam",
    "elixir-nx/nx#1779: the mask is built with the gradient in it, and then multiplied by the gradient",
)
class FourteenthJaxMaskHasGradient(Formula):
    """What lets finite gradients through is the gradient itself, which then multiplies the gradient."""

    def seen(self, g: X) -> X:
        mask = jnp.where(jnp.isfinite(g), g, 0)
        return mask * g


@wrong(
    "nonfinite",
    "NF.2",
    like="google-deepmind/optax#1752: g_norm < max_norm is false where both are equal, and 0/0 is taken",
    claim="optax.adamw",
)
def FourteenthJaxNormNotBelowInfinity(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The greatest size of a number is infinite, and what is not below that makes every gradient NaN."""
    plain = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))
    largest = jnp.inf

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        sizes = [jnp.max(jnp.abs(g), initial=0) for g in jax.tree.leaves(grads)]
        norm = jnp.max(jnp.asarray(sizes or [0.0]))

        def clip(g: X) -> X:
            return jnp.where(norm < largest, g, (g / norm.astype(g.real.dtype)) * largest)

        clipped = jax.tree.map(clip, grads)
        return plain.update(clipped, state, params)

    return optax.GradientTransformation(plain.init, update)


@row(
    "moments layout",
    "STEP.1",
    "optax.nadamw",
    "google-deepmind/optax#1538: leaves that are masked are scaled by a norm of their own",
)
class FourteenthJaxOwnNorm(Ahead):
    """The update of a leaf that is no matrix is multiplied by its norm, which is meant for matrices alone."""

    def change(self, u: X, g: X, p: X) -> X:
        own = jnp.sqrt(jnp.sum(jnp.abs(u) ** 2)).astype(u.real.dtype)
        return super().change(u if p.ndim == 2 else u * own, g, p)


@jax.jit
@jax.grad
def slope(x: X, g: X) -> X:
    """Return the slope of half of the squared distance between arrays, where the first one stands."""
    return 0.5 * (jnp.sum(jnp.square((x - g).real)) + jnp.sum(jnp.square((x - g).imag)))


class Sloping(Formula):
    """The first moment is what has the least mean distance to the gradients, and goes down to it."""

    def first(self, m: X, g: X) -> X:
        return m - (1 - self.b1) * slope(m, g).conj()


@right(claim="optax.adam")
def FourteenthRightJaxSlope(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam whose first moment goes down the slope of its distance to the gradient, found by jax.grad."""
    return transformation(Sloping(learning_rate, b1, b2, eps, eps_root, 0.0))
