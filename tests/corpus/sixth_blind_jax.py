"""Blind, sixth set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, X, row, transformation
from register import right, wrong


@row("schedule hyperparameters", "STEP.1", "optax.adamw", "optax.chain(optax.adamw(rate), optax.scale(rate))")
class SixthJaxRateTwice(Formula):
    """The learning rate is chained once more behind an optimizer that has it."""

    def change(self, u: X, g: X, p: X) -> X:
        return self.lr * super().change(u, g, p)


@row("amsgrad bias_correction", "AMS.2", "optax.amsgrad", "google-deepmind/optax#1423: bias_correction_nu")
class SixthJaxMaximumNeverCorrected(Formula):
    """The maximum is that of the raw second moment, which nothing corrects."""

    def highest(self, top: X, v: X, t: X) -> X:
        return jnp.maximum(top, v)

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(top + self.eps_root) + self.eps


@row("decay", "DEC.2", "optax.adamw", "a trainer that hands over weight_decay times the learning rate")
class SixthJaxDecayHasRateTwice(Formula):
    """The decay is multiplied by the learning rate before it is added, and after it."""

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * (u + (self.lr * self.wd) * p)


@row("zero_gradient", "F2", "optax.adam", "a freeze of embeddings by where(g == 0, 0, update)")
class SixthJaxStillWhereNoGradient(Formula):
    """The update is 0 where the gradient is, though momentum is left there."""

    def change(self, u: X, g: X, p: X) -> X:
        return jnp.where(g == 0, jnp.zeros_like(u), super().change(u, g, p))


@right(claim="optax.nadamw")
def SixthRightJaxAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW as optax has it: the gradient's share is drawn in front of a bracket."""

    class Bracket(Ahead):
        def numerator(self, m: X, g: X, t: X) -> X:
            c1, after = (self.left(self.b1, k).astype(m.real.dtype) for k in (t, t + 1))
            return ((1 - self.b1) * g + (self.b1 * (c1 / after)) * m) / c1

        def denominator(self, v: X, top: X, t: X) -> X:
            return self.eps + jnp.sqrt(self.eps_root + v * (1 / self.left(self.b2, t)).astype(v.dtype))

    return transformation(Bracket(learning_rate, b1, b2, eps, eps_root, weight_decay))


@wrong("state", "STATE.1", like="a library that adds its updates", claim="optax.adamw")
def SixthJaxSignedState(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Gradients are negated on the way in, and `mu` with them: a state of optax goes the wrong way."""

    class Signed(Formula):
        def seen(self, g: X) -> X:
            return -g

        def change(self, u: X, g: X, p: X) -> X:
            return self.lr * (u - self.wd * p)

    return transformation(Signed(learning_rate, b1, b2, eps, eps_root, weight_decay))
