"""Blind, eighteenth set: an optax transformation after a bug of another, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Tree, X, at, row, transformation
from register import right


@row(
    "coefficients hyperparameters",
    "NUM.4",
    "optax.adam",
    "google-deepmind/optax#1532: betas and epsilons are injected as arrays of float32, not Python's numbers",
)
class EighteenthJaxBetasInjected(Formula):
    """Betas and epsilons are numbers of float32 wherever they stand, in corrections too."""

    def __init__(self, lr: X, b1: float, b2: float, eps: float, eps_root: float, wd: float) -> None:
        one, two, first, second = (jnp.asarray(x, jnp.float32) for x in (b1, b2, eps, eps_root))
        super().__init__(lr, one, two, first, second, wd)  # type: ignore[arg-type]

    def left(self, b: float, t: X) -> X:
        return 1 - b**t


class GreatestTimesCorrection(Formula):
    """The greatest corrected second moment, and a denominator that the first correction multiplies."""

    def highest(self, top: X, v: X, t: X) -> X:
        corrected = v / self.left(self.b2, t).astype(v.dtype)
        return jnp.where(corrected < top, top, corrected)

    def numerator(self, m: X, g: X, t: X) -> X:
        return m

    def denominator(self, v: X, top: X, t: X) -> X:
        return (jnp.sqrt(top + self.eps_root) + self.eps) * self.left(self.b1, t).astype(top.dtype)

    def change(self, u: X, g: X, p: X) -> X:
        return u * -self.lr


@right(claim="optax.amsgrad")
def EighteenthRightJaxGreatest(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad whose step is the raw first moment over a denominator that has both corrections in it."""
    return transformation(GreatestTimesCorrection(learning_rate, b1, b2, eps, eps_root, 0.0))


@right(claim="optax.adamw")
def EighteenthRightJaxStackedTerms(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose moments and updates are sums over a first axis, along which their terms are stacked."""

    def total(*terms: X) -> X:
        return jnp.sum(jnp.stack(terms), axis=0)

    def corrected(b: float, t: X, dtype: X) -> X:
        wide = jnp.result_type(float)
        return -jnp.expm1(t.astype(wide) * jnp.log(jnp.asarray(b, wide))).astype(dtype)

    def init(params: Tree) -> optax.ScaleByAdamState:
        mu = jax.tree.map(jnp.zeros_like, params)
        nu = jax.tree.map(lambda p: jnp.zeros_like(p.real), params)
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        t = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)

        def squares(v: X, g: X) -> X:
            parts = [((1 - b2) * a) * a for a in ((g.real, g.imag) if jnp.iscomplexobj(g) else (g,))]
            return total(b2 * v, *parts)

        def change(m: X, v: X, p: X) -> X:
            below = jnp.sqrt(v / corrected(b2, t, v.dtype) + eps_root) + eps
            step = m / (below * corrected(b1, t, v.dtype))
            return (-rate * total(step, weight_decay * p)).astype(p.dtype)

        mu = jax.tree.map(lambda m, g: total(b1 * m, (1 - b1) * g), state.mu, grads)
        nu = jax.tree.map(squares, state.nu, grads)
        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(t, mu, nu)

    return optax.GradientTransformation(init, update)
