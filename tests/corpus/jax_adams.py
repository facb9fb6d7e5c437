"""Adams as optax-style factories: right ones, and the same kinds of mistakes in JAX's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from register import right, wrong

X = Any  #: an array or a traced one
Tree = Any


class State(NamedTuple):
    """As optax keeps it."""

    count: X
    mu: Tree
    nu: Tree


class Rules:
    """AdamW, one small method for each rule."""

    def __init__(self, lr: X, b1: float, b2: float, eps: float, wd: float) -> None:
        self.lr, self.b1, self.b2, self.eps, self.wd = lr, b1, b2, eps, wd

    def clock(self, count: X) -> X:
        return count + 1

    def present(self, grads: Tree, params: Tree) -> Tree:
        return grads

    def gradients(self, grads: Tree) -> Tree:
        return grads

    def coupled(self, g: X, p: X) -> X:
        return g

    def first(self, m: X, g: X) -> X:
        return self.b1 * m + (1 - self.b1) * g

    def second(self, v: X, g: X) -> X:
        return self.b2 * v + (1 - self.b2) * (g * g.conj()).real

    def correction(self, b: float, t: X) -> X:
        return 1 - jnp.asarray(b, jnp.result_type(float)) ** t

    def direction(self, m: X, v: X, g: X, t: X) -> X:
        return m / self.correction(self.b1, t) / self.denominator(v, self.correction(self.b2, t))

    def denominator(self, v: X, c2: X) -> X:
        return jnp.sqrt(v / c2) + self.eps

    def update(self, u: X, p: X) -> X:
        return -self.lr * (u + self.wd * p)


def transformation(rules: Rules) -> optax.GradientTransformation:
    """The rules as optax wants them."""

    def init(params: Tree) -> State:
        return State(
            jnp.zeros([], jnp.int32), jax.tree.map(jnp.zeros_like, params),
            jax.tree.map(lambda p: jnp.zeros_like(p.real), params),
        )  # fmt: skip

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        t = rules.clock(state.count)
        grads = rules.present(grads, params)
        grads = rules.gradients(jax.tree.map(rules.coupled, grads, params))
        mu = jax.tree.map(rules.first, state.mu, grads)
        nu = jax.tree.map(rules.second, state.nu, grads)
        directions = jax.tree.map(lambda m, v, g: rules.direction(m, v, g, t), mu, nu, grads)
        steps = jax.tree.map(lambda u, p: rules.update(u, p).astype(p.dtype), directions, params)
        return steps, State(t, mu, nu)

    return optax.GradientTransformation(init, update)


def factory(rules: type[Rules]) -> Callable[..., optax.GradientTransformation]:
    """A factory with optax's arguments, named and described as the rules it follows."""

    def made(
        learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-4
    ) -> optax.GradientTransformation:
        return transformation(rules(learning_rate, b1, b2, eps, weight_decay))

    made.__name__, made.__doc__ = rules.__name__, rules.__doc__
    return made


@right(claim="optax.adamw")
@factory
class JaxAdamW(Rules):
    """AdamW written plainly."""


@right(claim="optax.adamw")
@factory
class JaxFolded(Rules):
    """Corrections folded, interpolation, decay as a factor."""

    def first(self, m: X, g: X) -> X:
        return m + (1 - self.b1) * (g - m)

    def direction(self, m: X, v: X, g: X, t: X) -> X:
        root = jnp.sqrt(self.correction(self.b2, t))
        return root / self.correction(self.b1, t) * m / (jnp.sqrt(v) + self.eps * root)

    def update(self, u: X, p: X) -> X:
        return (p * (1 - self.lr * self.wd) - self.lr * u) - p


@right(claim="optax.adamw")
@factory
class JaxExpm1(Rules):
    """1-b**t by expm1."""

    def correction(self, b: float, t: X) -> X:
        return -jnp.expm1(t * jnp.log(jnp.asarray(b, jnp.result_type(float))))


@right(claim="optax.nadamw")
@factory
class JaxNAdamW(Rules):
    """Nesterov with two corrections."""

    def direction(self, m: X, v: X, g: X, t: X) -> X:
        ahead = self.b1 * m / self.correction(self.b1, t + 1) + (1 - self.b1) * g / self.correction(
            self.b1, t
        )
        return ahead / self.denominator(v, self.correction(self.b2, t))


@wrong("epsilon", "EPS.1", claim="optax.adamw")
@factory
class JaxEpsilonInside(Rules):
    """sqrt(v_hat + eps)."""

    def denominator(self, v: X, c2: X) -> X:
        return jnp.sqrt(v / c2 + self.eps)


@wrong("epsilon", "EPS.1", claim="optax.adamw", like="keras against optax")
@factory
class JaxEpsilonHat(Rules):
    """(sqrt(v) + eps)/sqrt(c2)."""

    def denominator(self, v: X, c2: X) -> X:
        return (jnp.sqrt(v) + self.eps) / jnp.sqrt(c2)


@wrong("bias_correction", "BC.1", claim="optax.adamw", like="mlx#1153")
@factory
class JaxCorrectionNone(Rules):
    """No correction."""

    def correction(self, b: float, t: X) -> X:
        return 1.0


@wrong("bias_correction clock", "CLK.2", claim="optax.adamw", like="jax_example.adam called with i")
@factory
class JaxClockLate(Rules):
    """Counts from 1 and ticks before use."""

    def correction(self, b: float, t: X) -> X:
        return super().correction(b, t + 1)


@wrong("bias_correction clock", "CLK.2", claim="optax.adamw", like="OLMo-core#309")
@factory
class JaxClockFrozen(Rules):
    """The new count is not returned."""

    def clock(self, count: X) -> X:
        return jnp.minimum(count + 1, 1)


@wrong("decay", "DEC.2", claim="optax.adamw")
@factory
class JaxDecayCoupled(Rules):
    """L2 where the claim is decoupled."""

    def coupled(self, g: X, p: X) -> X:
        return g + self.wd * p

    def update(self, u: X, p: X) -> X:
        return -self.lr * u


@wrong("decay", "DEC.2", claim="optax.adamw", like="optax#292")
@factory
class JaxDecayUnscaled(Rules):
    """Decay added after the learning rate."""

    def update(self, u: X, p: X) -> X:
        return -self.lr * u - self.wd * p


@wrong("decay", "DEC.2", claim="optax.adamw")
@factory
class JaxDecayGrowth(Rules):
    """Decay with the sign of the gradient transformation forgotten."""

    def update(self, u: X, p: X) -> X:
        return -self.lr * (u - self.wd * p)


@wrong("maximize", "MAX.1", claim="optax.adamw", like="scale(lr) for scale(-lr)")
@factory
class JaxAscent(Rules):
    """Updates added with the wrong sign."""

    def update(self, u: X, p: X) -> X:
        return self.lr * u - self.lr * self.wd * p


@wrong("missing", "F1", claim="optax.adamw")
@factory
class JaxAbsentIsZero(Rules):
    """An absent gradient acts as a zero one where it should be an error."""

    def present(self, grads: Tree, params: Tree) -> Tree:
        return [jnp.zeros_like(p) if g is None else g for g, p in zip(grads, params, strict=True)]


@wrong("complex", "CPX.2", claim="optax.adamw", like="flax_legacy.Adam")
@factory
class JaxComplexSquare(Rules):
    """The real part of g*g without conjugate."""

    def second(self, v: X, g: X) -> X:
        return self.b2 * v + (1 - self.b2) * (g * g).real


@wrong("coefficients hyperparameters", "NUM.4", claim="optax.adamw", like="keras#17391")
@factory
class JaxBetaInBfloat16(Rules):
    """1-b**t formed in bfloat16."""

    def correction(self, b: float, t: X) -> X:
        return (1 - jnp.asarray(b, jnp.bfloat16) ** t).astype(jnp.float32)


@wrong("nonfinite", "NF.1", claim="optax.adamw", like="optax.zero_nans")
@factory
class JaxNanReplaced(Rules):
    """NaN becomes 0 before the moments."""

    def coupled(self, g: X, p: X) -> X:
        return jnp.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0)


@wrong("clipping", "NUM.5", claim="optax.adamw", like="optax.clip_by_global_norm in the chain")
@factory
class JaxClipsAll(Rules):
    """All gradients together to norm 1."""

    def gradients(self, grads: Tree) -> Tree:
        norm = jnp.maximum(optax.global_norm(grads), 1.0)
        return jax.tree.map(lambda g: g / norm, grads)


@wrong("moments", "MOM.1", claim="optax.adamw")
@factory
class JaxFirstUnweighted(Rules):
    """b1*m + g."""

    def first(self, m: X, g: X) -> X:
        return self.b1 * m + g
