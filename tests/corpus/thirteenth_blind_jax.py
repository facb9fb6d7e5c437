"""Blind, thirteenth set: optax' transformations, after the bugs of others, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, row, transformation
from register import right, wrong


@row(
    "bias_correction clock",
    "BC.1",
    "optax.adamw",
    "google-deepmind/optax#46: an integer power is 1 at multiples of 64, and the correction divides by 0",
)
class ThirteenthJaxSixBits(Formula):
    """The power of a beta is put together from squares by the lower six bits of the count."""

    def left(self, b: float, t: X) -> X:
        square = jnp.asarray(b, jnp.result_type(float))
        power = jnp.ones_like(square)
        for bit in range(6):
            power = jnp.where((t >> bit) % 2 == 1, power * square, power)
            square = square * square
        return 1 - power


@row(
    "hyperparameters moments",
    "MOM.1",
    "optax.nadam",
    "google/objax#93: the default beta1 and beta2 cannot be overridden",
)
class ThirteenthJaxDefaultBetas(Ahead):
    """The betas are 0.9 and 0.999, whatever is given."""

    def __init__(self, lr: X, b1: float, b2: float, eps: float, eps_root: float, wd: float) -> None:
        super().__init__(lr, 0.9, 0.999, eps, eps_root, wd)


@wrong(
    "clipping",
    "CLIP.2",
    like="google/jaxopt#445: the norm of a complex gradient is formed of its squares, and not of moduli",
    claim="optax.adam",
)
def ThirteenthJaxNormOfSquares(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Gradients are scaled down to the norm 1, and a complex number counts there as its square."""
    plain = transformation(Formula(learning_rate, b1, b2, eps, eps_root, 0.0))

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        squares = sum((jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)), jnp.zeros(()))
        scale = 1 / jnp.maximum(jnp.sqrt(jnp.abs(squares)), 1)
        shortened = jax.tree.map(lambda g: g * scale.astype(g.real.dtype), grads)
        return plain.update(shortened, state, params)

    return optax.GradientTransformation(plain.init, update)


@right(claim="optax.adamw")
def ThirteenthRightJaxScan(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW that scans over rows of sixteen numbers of a leaf, which is filled up with zeros."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, weight_decay)
    plain = transformation(f)

    def rows(a: X) -> X:
        return jnp.pad(a.reshape(-1), (0, -a.size % 16)).reshape(-1, 16)

    def one(t: X, g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
        def body(_: None, part: tuple[X, X, X, X]) -> tuple[None, tuple[X, X, X]]:
            g, m, v, p = part
            m, v = f.first(m, g), f.second(v, g)
            return None, (f.change(f.numerator(m, g, t) / f.denominator(v, v, t), g, p), m, v)

        made = jax.lax.scan(body, None, tuple(rows(a) for a in (g, m, v, p)))[1]
        change, first, second = (a.reshape(-1)[: g.size].reshape(g.shape) for a in made)
        return change.astype(p.dtype), first.astype(m.dtype), second.astype(v.dtype)

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        t = state.count + 1
        form: Any = jax.tree.structure(grads)
        trees = (form.flatten_up_to(tree) for tree in (grads, state.mu, state.nu, params))
        made = [one(t, *leaf) for leaf in zip(*trees, strict=True)]
        changes, mu, nu = (jax.tree.unflatten(form, [parts[i] for parts in made]) for i in range(3))
        return changes, Moments(t, mu, nu, state.nu_max)

    return optax.GradientTransformation(plain.init, update)
