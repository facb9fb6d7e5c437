"""Blind, seventh set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, X, row, transformation
from register import right, wrong


@row("nesterov", "NES.2", "optax.nadam", "a mean of two numbers whose weights have changed places")
class SeventhJaxSharesExchanged(Ahead):
    """In the look-ahead gradient and moment have each other's weights and corrections."""

    def numerator(self, m: X, g: X, t: X) -> X:
        return super().numerator(g, m, t)


@row("complex decay", "CPX.3", "optax.adamw", "a step that is conjugated as a whole, decay and all")
class SeventhJaxDecayConjugated(Formula):
    """What decays is the conjugate of a complex parameter: its imaginary part grows."""

    def change(self, u: X, g: X, p: X) -> X:
        return super().change(u, g, jnp.conj(p))


@wrong("moments", "MOM.1", like="optax.ema(0.9) in front of adam, in a chain", claim="optax.adam")
def SeventhJaxAveragedBefore(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A gradient is averaged before it comes to the moments, of which the first averages once more."""
    inner = transformation(Formula(learning_rate, b1, b2, eps, eps_root, 0.0))
    return optax.chain(optax.ema(0.9), inner)


@right(claim="optax.amsgrad")
def SeventhRightJaxMaximum(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad as optax has it: the corrected second moment is chosen where it is not below the maximum."""

    class Chosen(Formula):
        def highest(self, top: X, v: X, t: X) -> X:
            corrected = v / self.left(self.b2, t).astype(v.dtype)
            return jax.lax.select((corrected >= top) | jnp.isnan(corrected), corrected, top)

        def denominator(self, v: X, top: X, t: X) -> X:
            return self.eps + jnp.sqrt(top + self.eps_root)

        def change(self, u: X, g: X, p: X) -> X:
            return u * -self.lr

    return transformation(Chosen(learning_rate, b1, b2, eps, eps_root, 0.0))


@right(claim="optax.adam", options={"nesterov": "True"})
def SeventhRightJaxFlag(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0,
    *, nesterov: bool = False,
) -> optax.GradientTransformation:  # fmt: skip
    """Adam as optax has it, with its flag: the class that it is made of is chosen by that."""

    class Apart(Ahead if nesterov else Formula):  # type: ignore[misc]
        def change(self, u: X, g: X, p: X) -> X:
            return (-self.lr) * u

        def denominator(self, v: X, top: X, t: X) -> X:
            return self.eps + jnp.sqrt(self.eps_root + v / self.left(self.b2, t).astype(v.dtype))

    return transformation(Apart(learning_rate, b1, b2, eps, eps_root, 0.0))


@right(claim="optax.adamw")
def SeventhRightJaxScan(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as optax has it: a loop of lax goes over the elements of quotient and parameter."""

    class Looped(Formula):
        def change(self, u: X, g: X, p: X) -> X:
            def one(carry: X, pair: tuple[X, X]) -> tuple[X, X]:
                quotient, parameter = pair
                return carry, -self.lr * (self.wd * parameter + quotient)

            _, changes = jax.lax.scan(one, 0, (u.reshape(-1), p.reshape(-1)))
            return changes.reshape(p.shape)

    return transformation(Looped(learning_rate, b1, b2, eps, eps_root, weight_decay))
