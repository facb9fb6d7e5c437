"""Blind, eighth set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, X, row, transformation
from register import right, wrong


@row(
    "epsilon hyperparameters",
    "EPS.5",
    "optax.adamw",
    "eps and eps_root handed on by position, one for the other",
)
class EighthJaxEpsilonsExchanged(Formula):
    """Epsilon stands under the root, and eps_root beside it."""

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(v / self.left(self.b2, t).astype(v.dtype) + self.eps) + self.eps_root


@wrong(
    "clipping", "STEP.1", like="optax.keep_params_nonnegative() behind adam, in a chain", claim="optax.adam"
)
def EighthJaxNeverNegative(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """An update that would make a parameter negative ends at 0."""

    class Held(Formula):
        def change(self, u: X, g: X, p: X) -> X:
            whole = -self.lr * u
            return whole if jnp.iscomplexobj(p) else jnp.where(p + whole < 0, -p, whole)

    return transformation(Held(learning_rate, b1, b2, eps, eps_root, 0.0))


@row(
    "nesterov", "NES.2", "optax.nadam", "a share of the gradient that is added to the corrected moment, whole"
)
class EighthJaxMomentWhole(Ahead):
    """In the look-ahead the corrected moment has the weight 1, where b1 is due."""

    def numerator(self, m: X, g: X, t: X) -> X:
        return super().numerator(m / self.b1, g, t)


@right(claim="optax.nadamw")
def EighthRightJaxTwice(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW as optax has it: the two shares of the look-ahead are divided by the root one by one."""

    class Shared(Ahead):
        def change(self, u: X, g: X, p: X) -> X:
            return (-self.lr * self.wd) * p - self.lr * u

        def numerator(self, m: X, g: X, t: X) -> X:
            after = self.b1 / self.left(self.b1, t + 1)
            now = (1 - self.b1) / self.left(self.b1, t)
            return after.astype(m.real.dtype) * m + now.astype(m.real.dtype) * g

    return transformation(Shared(learning_rate, b1, b2, eps, eps_root, weight_decay))


@right(claim="optax.amsgrad", options={"bias_correction_mu": "False"})
def EighthRightJaxFlags(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0,
    bias_correction_mu: bool = True,
) -> optax.GradientTransformation:  # fmt: skip
    """AMSGrad as optax has it, with the flag of the first correction, which then is a division by 1."""

    class Flagged(Formula):
        def highest(self, top: X, v: X, t: X) -> X:
            return jnp.maximum(top, v / self.left(self.b2, t).astype(v.dtype))

        def numerator(self, m: X, g: X, t: X) -> X:
            c1 = jnp.where(bias_correction_mu, self.left(self.b1, t), 1.0)
            return m / c1.astype(m.real.dtype)

        def denominator(self, v: X, top: X, t: X) -> X:
            return jnp.sqrt(self.eps_root + top) + self.eps

        def change(self, u: X, g: X, p: X) -> X:
            return -(u * self.lr)

    return transformation(Flagged(learning_rate, b1, b2, eps, eps_root, 0.0))


@right(claim="optax.adamw")
def EighthRightJaxMapped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as optax has it: the moments go through vmap, an element each."""

    class Mapped(Formula):
        def first(self, m: X, g: X) -> X:
            one = jax.vmap(lambda old, new: self.b1 * old + (1 - self.b1) * new)
            return one(m.reshape(-1), g.reshape(-1)).reshape(m.shape)

        def denominator(self, v: X, top: X, t: X) -> X:
            inverse = (1 / self.left(self.b2, t)).astype(v.dtype)
            return self.eps + jnp.sqrt(v * inverse + self.eps_root)

    return transformation(Mapped(learning_rate, b1, b2, eps, eps_root, weight_decay))
