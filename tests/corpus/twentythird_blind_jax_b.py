"""Blind, twenty-third set: two reports as optax' transformations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, counting_bad
from register import wrong
from twentieth_blind_frame_jax import left


@wrong(
    "complex",
    "CPX.2",
    like="netket/netket#1009: Adam squares the complex gradient itself for its second moment",
    claim="optax.adam",
)
def TwentyThirdBJaxSquaresItself(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The second moment of a complex parameter is complex: an average of g times g, without a conjugate."""

    def init(params: Tree) -> optax.ScaleByAdamState:
        mu, nu = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate = at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + ((1 - b2) * g) * g, state.nu, grads)

        def change(m: X, v: X) -> X:
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return (-rate * (m / left(b1, count, m) / below)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


@wrong(
    "loss_scale nonfinite",
    "SCALE.2",
    like="pyro-ppl/numpyro#958: what is not finite is taken into parameters and state, and the run is lost",
    claim="optax.adamw",
)
def TwentyThirdBJaxTakesWhatIsNotFinite(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Steps that are not finite are counted, and made all the same: parameters and state take them."""
    inner = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        return inner.update(grads, state, params)

    return counting_bad(inner, step)
