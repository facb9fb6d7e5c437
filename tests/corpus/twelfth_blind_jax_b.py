"""Blind, twelfth set: optax' transformations, after the bugs of others in handling, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, counting_bad, row, transformation
from register import right, wrong

EPOCH = 4  #: how many batches it has


@row(
    "clock bias_correction",
    "CLK.2",
    "optax.adam",
    "jax-ml/jax#955: the number of the batch within its epoch is handed over for the number of the step",
)
class TwelfthJaxBatchForStep(Formula):
    """Corrections are those of the batch within its epoch, which begins anew after four; moments go on."""

    def left(self, b: float, t: X) -> X:
        return super().left(b, (t - 1) % EPOCH + 1)


@wrong(
    "loss_scale moments",
    "SCALE.2",
    like="deepspeedai/DeepSpeed#8435: the momentum takes the gradient before the step is discarded (Muon)",
    claim="optax.adamw",
)
def TwelfthJaxMomentsOfDiscarded(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A step with an overflow changes no parameter and does not count; the moments have its gradients."""
    inner = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)
        changes = jax.tree.map(lambda c: jnp.where(finite, c, jnp.zeros_like(c)), changes)
        return changes, new._replace(count=jnp.where(finite, new.count, state.count))

    return counting_bad(inner, step)


class Pair(NamedTuple):
    """The state of a leaf: both of its moments."""

    m: X
    v: X


class Paired(NamedTuple):
    """A count, and a tree of pairs."""

    count: X
    pairs: Tree


@right(claim="optax.adam")
def TwelfthRightJaxNumbers(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam of one number, which is mapped over every axis of a leaf; a leaf's moments are a pair."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, 0.0)

    def number(g: X, m: X, v: X, t: X) -> tuple[X, X, X]:
        m, v = f.first(m, g), f.second(v, g)
        return f.change(f.numerator(m, g, t) / f.denominator(v, v, t), g, jnp.zeros_like(g)), m, v

    def init(params: Tree) -> Paired:
        pairs = jax.tree.map(lambda p: Pair(jnp.zeros_like(p), jnp.zeros(p.shape, p.real.dtype)), params)
        return Paired(jnp.zeros((), jnp.int32), pairs)

    def update(grads: Tree, state: Paired, params: Tree = None) -> tuple[Tree, Paired]:
        t = state.count + 1
        form: Any = jax.tree.structure(grads)

        def leaf(g: X, pair: Pair) -> tuple[X, Pair]:
            mapped: Any = number
            for _ in range(g.ndim):
                mapped = jax.vmap(mapped, (0, 0, 0, None))
            change, m, v = mapped(g, *pair, t) if g.size else (g, *pair)
            return change.astype(g.dtype), Pair(m, v)

        both = map(leaf, jax.tree.leaves(grads), form.flatten_up_to(state.pairs))
        changes, pairs = zip(*both, strict=True) if form.num_leaves else ((), ())
        return jax.tree.unflatten(form, changes), Paired(t, jax.tree.unflatten(form, pairs))

    return optax.GradientTransformation(init, update)


@right(claim="optax.nadamw")
def TwelfthRightJaxChain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW as a chain of three: the quotient of the moments, what decays, and the learning rate."""
    f = Ahead(learning_rate, b1, b2, eps, eps_root, 0.0)
    init = transformation(f).init

    def quotient(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        t = state.count + 1
        mu, nu = jax.tree.map(f.first, state.mu, grads), jax.tree.map(f.second, state.nu, grads)

        def one(g: X, m: X, v: X) -> X:
            return f.numerator(m, g, t) / f.denominator(v, v, t)

        return jax.tree.map(one, grads, mu, nu), Moments(t, mu, nu, state.nu_max)

    def decayed(changes: Tree, params: Tree = None) -> Tree:
        return jax.tree.map(lambda u, p: u + weight_decay * p, changes, params)

    def rated(changes: Tree, params: Tree = None) -> Tree:
        return jax.tree.map(lambda u, p: (-learning_rate * u).astype(p.dtype), changes, params)

    return optax.chain(
        optax.GradientTransformation(init, quotient), optax.stateless(decayed), optax.stateless(rated)
    )
