"""Blind, sixteenth set: an optax transformation after a bug of another, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Moments, Tree, X, at, row
from register import right


@row(
    "moments",
    "MOM.2",
    "optax.adam",
    "google-deepmind/optax#288: what Yogi makes of the square is squared by the helper of the moments",
)
class SixteenthBJaxSquaredAgain(Formula):
    """The second moment averages the square of sign(v - g**2) * g**2, and so the fourth power."""

    def second(self, v: X, g: X) -> X:
        square = g.real * g.real
        if jnp.iscomplexobj(g):
            square = square + g.imag * g.imag
        signed = jnp.sign(v - square) * square
        return (self.b2 * v + (1 - self.b2) * (signed * signed)).astype(v.dtype)


@right(claim="optax.amsgrad")
def SixteenthBRightJaxLists(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad over the list of leaves: the corrections by expm1, the greatest by where, updates by zip."""

    def left(b: X, count: X) -> X:
        return -jnp.expm1(count * jnp.log(jnp.asarray(b, jnp.result_type(float))))

    def init(params: Tree) -> Moments:
        def squares() -> Tree:
            return jax.tree.map(lambda p: jnp.zeros(p.shape, p.real.dtype), params)

        zeros = jax.tree.map(jnp.zeros_like, params)
        return Moments(jnp.zeros((), jnp.int32), zeros, squares(), squares())

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Moments]:
        leaves, form = jax.tree.flatten(grads)
        count = state.count + jnp.asarray(1, state.count.dtype)
        c1, c2 = left(b1, count), left(b2, count)
        rate = at(learning_rate, state.count)
        rows = []
        kept = (jax.tree.leaves(tree) for tree in (state.mu, state.nu, state.nu_max))
        for g, m, v, top in zip(leaves, *kept, strict=True):
            real = v.dtype
            first = (b1 * m + (1 - b1) * g).astype(m.dtype)
            square = ((1 - b2) * g.real) * g.real
            if jnp.iscomplexobj(g):
                square = square + ((1 - b2) * g.imag) * g.imag
            second = (b2 * v + square).astype(real)
            corrected = second / c2.astype(real)
            greatest = jnp.where(corrected > top, corrected, top)
            direction = first / c1.astype(real) / (jnp.sqrt(greatest + eps_root) + eps)
            rows.append(((-rate * direction).astype(g.dtype), first, second, greatest))
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
        changes, mu, nu, nu_max = (jax.tree.unflatten(form, column) for column in columns)
        return changes, Moments(count, mu, nu, nu_max)

    return optax.GradientTransformation(init, update)
