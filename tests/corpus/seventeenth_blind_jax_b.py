"""Blind, seventeenth set: an optax transformation after a bug of another, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Tree, X, at, begun, row
from register import right


@row(
    "epsilon hyperparameters",
    "EPS.5",
    "optax.adam",
    "elixir-nx/axon@9becdbcd: epsilon and eps_root of the documentation are not those of the code",
)
class SeventeenthBJaxEpsilonsOfCode(Formula):
    """Whatever is asked for, 1e-5 stands under the root, and 1e-6 beside it."""

    def denominator(self, v: X, top: X, t: X) -> X:
        corrected = v / self.left(self.b2, t).astype(v.dtype)
        return jnp.sqrt(corrected + 1e-5) + 1e-6


@right(claim="optax.nadamw")
def SeventeenthBRightJaxTransposed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW by a map of leaves to triples, which are transposed to three trees; both terms over one root."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        wide = jnp.result_type(float)
        now, after, second = (
            1 - jnp.power(jnp.asarray(b, wide), k) for b, k in ((b1, count), (b1, count + 1), (b2, count))
        )
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def leaf(g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
            real = v.dtype
            square = ((1 - b2) * g.real) * g.real
            if jnp.iscomplexobj(g):
                square = square + ((1 - b2) * g.imag) * g.imag
            m, v = b1 * m + (1 - b1) * g, b2 * v + square
            below = jnp.sqrt(v / second.astype(real) + eps_root) + eps
            ahead = (b1 / after).astype(real) * (m / below) + ((1 - b1) / now).astype(real) * (g / below)
            return (-rate * (ahead + decay * p)).astype(p.dtype), m, v

        triples = jax.tree.map(leaf, grads, state.mu, state.nu, params)
        outer, inner = jax.tree.structure(grads), jax.tree.structure((0, 0, 0))
        changes, mu, nu = jax.tree.transpose(outer, inner, triples)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
