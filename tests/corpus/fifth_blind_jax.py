"""Blind, fifth set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, X, row, transformation
from register import right


@row("decay", "DEC.2", "optax.adamw", "google-deepmind/optax#292")
class FifthJaxDecayBehindRate(Formula):
    """The decay is chained behind the learning rate, with the right sign and without the rate."""

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * u - self.wd * p


@row("decay", "DEC.2", "optax.nadamw", "add_decayed_weights that is given the updates for the parameters")
class FifthJaxDecayOfUpdates(Ahead):
    """The updates decay in the place of the parameters: each is longer by its weight_decay."""

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * (u + self.wd * u)


@row("clipping", "CLIP.3", "optax.adamw", "google-deepmind/optax adaptive_grad_clip, left in a chain")
class FifthJaxUnitsClipped(Formula):
    """A row of a gradient is clipped to the norm 0.5, where there are two axes or more."""

    def seen(self, g: X) -> X:
        if g.ndim < 2:
            return g
        norm = jnp.sqrt(jnp.sum(jnp.abs(g) ** 2, axis=tuple(range(1, g.ndim)), keepdims=True))
        return jnp.where(norm > 0.5, g * (0.5 / norm), g).astype(g.dtype)


@row("moments layout", "STEP.1", "optax.adam", "google-deepmind/optax scale_by_trust_ratio, as in lamb")
class FifthJaxTrustRatio(Formula):
    """The step of an array of two axes or more is made as long as lr times the parameter."""

    def change(self, u: X, g: X, p: X) -> X:
        if p.ndim > 1:
            ratio = jnp.sqrt(jnp.sum(jnp.abs(p) ** 2)) / jnp.sqrt(jnp.sum(jnp.abs(u) ** 2))
            u = u * jnp.where(jnp.isfinite(ratio) & (ratio > 0), ratio, 1).astype(p.real.dtype)
        return super().change(u, g, p)


@row("complex", "CPX.2", "optax.adam", "keras-team/tf-keras#30")
class FifthJaxSquareOfSum(Formula):
    """Of a complex gradient, the square of the sum of both parts is averaged."""

    def second(self, v: X, g: X) -> X:
        parts = g.real + g.imag if jnp.iscomplexobj(g) else g
        return (self.b2 * v + ((1 - self.b2) * parts) * parts).astype(v.dtype)


@right(claim="optax.adamw")
def FifthRightJaxElements(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of one number as optax has it, mapped over the elements of each leaf."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, weight_decay)

    class Mapped(Formula):
        def change(self, u: X, g: X, p: X) -> X:
            each = jax.vmap(lambda a, b, c: f.change(a, b, c))
            return each(u.reshape(-1), g.reshape(-1), p.reshape(-1)).reshape(p.shape)

        def second(self, v: X, g: X) -> X:
            return jax.vmap(f.second)(v.reshape(-1), g.reshape(-1)).reshape(v.shape)

        def denominator(self, v: X, top: X, t: X) -> X:
            each = jax.vmap(lambda a: f.denominator(a, a, t))
            return each(v.reshape(-1)).reshape(v.shape)

    return transformation(Mapped(learning_rate, b1, b2, eps, eps_root, weight_decay))


@right(claim="optax.adam")
def FifthRightJaxComplement(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam as optax has it, whose corrections are the exponential function less 1 of t*log1p(b-1)."""

    class Complement(Formula):
        def left(self, b: float, t: X) -> X:
            wide = jnp.result_type(float)
            return (
                -jnp.expm1(t.astype(wide) * jnp.log1p(jnp.asarray(b - 1, wide))) if b else jnp.ones((), wide)
            )

        def numerator(self, m: X, g: X, t: X) -> X:
            return m * (1 / self.left(self.b1, t)).astype(m.real.dtype)

    return transformation(Complement(learning_rate, b1, b2, eps, eps_root, 0.0))
