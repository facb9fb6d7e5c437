"""Blind, second set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

import jax.numpy as jnp
import optax
from blind_jax import Ahead, Factory, Formula, X, adamw, row
from register import right


@row("nesterov", "NES.2", "optax.nadam", "online-ml/river#219")
class FreshJaxCorrectionsExchanged(Ahead):
    """The moment has the correction of this step, and the gradient that of the next."""

    def numerator(self, m: X, g: X, t: X) -> X:
        c1, after = (self.left(self.b1, k).astype(m.real.dtype) for k in (t, t + 1))
        return self.b1 * (m / c1) + (1 - self.b1) * (g / after)


@row("moments", "STEP.1", "optax.adamw", "torch/optim#48")
class FreshJaxSquareForRoot(Formula):
    """The second moment is squared where its root is meant."""

    def denominator(self, v: X, top: X, t: X) -> X:
        return (v / self.left(self.b2, t).astype(v.dtype)) ** 2 + self.eps


@row("moments", "STEP.1", "optax.adamw", "oracle/tribuo#401")
class FreshJaxMultipliedByRoot(Formula):
    """The first moment is multiplied by the root and epsilon, not divided."""

    def denominator(self, v: X, top: X, t: X) -> X:
        return 1 / super().denominator(v, top, t)


@row("decay", "DEC.2", "optax.adamw", "big_vision's chain in huggingface/transformers#34506")
class FreshJaxDecayAfterRate(Formula):
    """The decay is added to the updates behind the rate and its sign: weights grow by weight_decay*p."""

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * u + self.wd * p


@row("epsilon moments", "EPS.1", "optax.adamw", "juntang-zhuang/Adabelief-Optimizer#32")
class FreshJaxEpsilonAveraged(Formula):
    """Epsilon is added to each square before it is averaged, and to the root as well."""

    def second(self, v: X, g: X) -> X:
        return super().second(v, g) + (1 - self.b2) * self.eps


@right(claim="optax.adamw")
def FreshJaxRightChain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0,
    weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The parts of optax, chained by hand."""
    return optax.chain(
        optax.scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(learning_rate),
    )


def entered(formula: type[Formula]) -> Factory:
    """Turn a right formula into a factory, and enter that."""
    return right(claim="optax.adamw")(adamw(formula))


@entered
class FreshJaxRightLogarithms(Formula):
    """AdamW whose corrections come from logarithms, and whose averages weigh both parts."""

    def first(self, m: X, g: X) -> X:
        return self.b1 * m + (1 - self.b1) * g

    def left(self, b: float, t: X) -> X:
        return -jnp.expm1(t * jnp.log(jnp.asarray(b, jnp.result_type(float))))

    def change(self, u: X, g: X, p: X) -> X:
        return -(self.lr * u) - (self.lr * self.wd) * p
