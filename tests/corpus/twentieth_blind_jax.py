"""Blind, twentieth set: two reports as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Tree, X, at, begun, row
from register import right


@row(
    "bias_correction",
    "BC.1",
    "optax.adam",
    "unslothai/unsloth-zoo#819: MLX's has no correction of the first moment, and its first step is a tenth",
)
class TwentiethJaxFirstAsItIs(Formula):
    """The first moment is not corrected, and the second is."""

    def numerator(self, m: X, g: X, t: X) -> X:
        return m


@row(
    "bias_correction clock compilation",
    "STEP.3",
    "optax.adamw",
    "ml-explore/mlx#1324: it stalls behind the second iteration, whose count the program keeps",
)
class TwentiethJaxCountOfSecond(Formula):
    """The program that the second update has compiled corrects all that follow for a count of two."""

    def left(self, b: float, t: X) -> X:
        return super().left(b, jnp.minimum(t, 2))


@right(claim="optax.adamw")
def TwentiethRightJaxIndexed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW by indexed updates of its moments, and its change is put together likewise."""

    def corrected(v: X, b: float, t: X) -> X:
        wide = jnp.result_type(float)
        left = -jnp.expm1(t.astype(wide) * jnp.log(jnp.asarray(b, wide)))
        return v / left.astype(v.real.dtype)

    def squared(g: X) -> X:
        real = ((1 - b2) * g.real) * g.real
        return real + ((1 - b2) * g.imag) * g.imag if jnp.iscomplexobj(g) else real

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: m.at[...].multiply(b1).at[...].add((1 - b1) * g), state.mu, grads)
        nu = jax.tree.map(lambda v, g: v.at[...].multiply(b2).at[...].add(squared(g)), state.nu, grads)

        def change(m: X, v: X, p: X) -> X:
            below = jnp.sqrt(corrected(v, b2, count) + eps_root).at[...].add(eps)
            step = corrected(m, b1, count).at[...].divide(below)
            return jnp.negative(rate * (decay * p)).at[...].add(-rate * step).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
