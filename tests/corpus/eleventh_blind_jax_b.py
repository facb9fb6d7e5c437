"""Blind, eleventh set: optax' transformations, after the bugs of others in handling, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, counting_bad, row, transformation
from register import right, wrong


@wrong(
    "loss_scale",
    "SCALE.2",
    like="mlnomadpy/flaxchat#6: bad gradients are replaced by zeros, and optimizer.update is called",
    claim="optax.adamw",
)
def EleventhJaxBadGradientsAreZero(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A step with an overflow is made, with zeros for the arrays of which a number is not finite."""
    inner = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def good(g: X) -> X:
        return jnp.where(jnp.all(jnp.isfinite(g)), g, jnp.zeros_like(g))

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(good, grads), state, params)

    return counting_bad(inner, step)


def looked_up(g: X) -> X:
    """Return for each number of a gradient whether its row has one that is not 0; tables alone have rows."""
    if g.ndim < 2:
        return jnp.ones(g.shape, bool)
    axes = tuple(range(1, g.ndim))
    return jnp.broadcast_to(jnp.any(g != 0, axes, keepdims=True), g.shape)


@row(
    "zero_gradient",
    "F2",
    "optax.adam",
    "clab/dynet#70: the moments of a lookup table decay for words of the minibatch alone",
)
class EleventhJaxWordsOfBatch(Formula):
    """Rows of a table whose gradient is 0 keep their moments and stay where they are."""

    def first(self, m: X, g: X) -> X:
        return jnp.where(looked_up(g), super().first(m, g), m)

    def second(self, v: X, g: X) -> X:
        return jnp.where(looked_up(g), super().second(v, g), v)

    def change(self, u: X, g: X, p: X) -> X:
        return jnp.where(looked_up(g), super().change(u, g, p), jnp.zeros_like(u))


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="tensorflow/tensorflow#35444: iterations is 1 in the beginning, and 1 is added to it",
    claim="optax.nadamw",
)
def EleventhJaxCountFromOne(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The count is 1 in the beginning: the first update is corrected as the second one."""
    plain = transformation(Ahead(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def init(params: Tree) -> Moments:
        state: Moments = plain.init(params)
        return state._replace(count=jnp.ones((), jnp.int32))

    return optax.GradientTransformation(init, plain.update)


@right(claim="optax.adamw")
def EleventhRightJaxParts(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW in two parts, one for what has two axes or more, each with a count of its own."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, weight_decay)

    def labels(params: Tree) -> Tree:
        return jax.tree.map(lambda p: "tables" if p.ndim > 1 else "others", params)

    parts = optax.partition({"tables": transformation(f), "others": transformation(f)}, labels)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        form: Any = jax.tree.structure(params)
        if form != jax.tree.structure(grads):
            raise ValueError("the gradients are another tree than the parameters")
        return parts.update(grads, state, params)

    return optax.GradientTransformation(parts.init, update)


class Named(NamedTuple):
    """A count, and the moments of each leaf under its path."""

    count: X
    leaves: dict[str, tuple[X, X]]


def paths(tree: Tree) -> dict[str, X]:
    """Return the leaves of a tree under their paths."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@right(claim="optax.nadam")
def EleventhRightJaxPaths(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """NAdam whose state is a dictionary, with both moments of a leaf under its path in the tree."""
    f = Ahead(learning_rate, b1, b2, eps, eps_root, 0.0)

    def init(params: Tree) -> Named:
        named = paths(params).items()
        zeros = {path: (jnp.zeros_like(p), jnp.zeros(p.shape, p.real.dtype)) for path, p in named}
        return Named(jnp.zeros((), jnp.int32), zeros)

    def update(grads: Tree, state: Named, params: Tree = None) -> tuple[Tree, Named]:
        given, t = paths(grads), state.count + 1
        if given.keys() != state.leaves.keys():
            raise ValueError("the gradients are another tree than the parameters")
        new = {
            path: (f.first(m, given[path]), f.second(v, given[path])) for path, (m, v) in state.leaves.items()
        }
        changes = []
        for path, p in paths(params).items():
            m, v = new[path]
            u = f.numerator(m, given[path], t) / f.denominator(v, v, t)
            changes.append(f.change(u, given[path], p).astype(p.dtype))
        return jax.tree.unflatten(jax.tree.structure(params), changes), Named(t, new)

    return optax.GradientTransformation(init, update)
