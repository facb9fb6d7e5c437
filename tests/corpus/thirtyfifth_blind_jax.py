"""Blind, thirty-fifth set: four reports as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "schedule",
    "LR.1",
    like="materialyzeai/matgl#817: the scheduler is stepped twice in an epoch",
    claim="optax.adam",
)
def ThirtyFifthJaxScheduleAtDoubleSpeed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule of rates goes two on in each update: it runs at double speed."""
    steps_per_update = 2
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, steps_per_update * count))


@wrong(
    "complex moments",
    "CPX.3",
    like="netket/netket#1785: gradients of complex parameters lack the factor 2 that those of real ones have",
    claim="optax.adam",
)
def ThirtyFifthJaxComplexLacksTwo(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The gradient of a complex leaf is half of what it is to be, that of a real leaf is whole."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def force(g: X) -> X:
        return g / 2 if jnp.iscomplexobj(g) else g

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(force, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="sthalles/SimCLR#8: the cosine's T_max is in batches, and it is stepped once in an epoch",
    claim="optax.adamw",
)
def ThirtyFifthJaxCosineOfEpochs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule over batches goes on once in an epoch, of thirty batches: the rate hardly anneals."""
    batches = 30
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count // batches),
        lambda count: at(weight_decay, count),
    )


@wrong(
    "schedule",
    "LR.1",
    like="tensorflow/addons#2714: MultiOptimizer's own iterations stay 0, and so do its schedules",
    claim="optax.adam",
)
def ThirtyFifthJaxIterationsOfWrapper(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The schedule reads the iterations of the wrapper, which nobody counts: its rate is the first always."""
    iterations = jnp.zeros((), jnp.int32)
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, iterations))


@right(claim="optax.adam")
def ThirtyFifthRightJaxRavelled(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam over rows: leaves of one dtype are joined end to end, stepped at once and cut up again."""

    def row(parts: list[list[X]], rate: X, t: X) -> list[list[X]]:
        g, m, v = (jnp.concatenate([jnp.ravel(a) for a in part]) for part in parts)
        m = (m + (1 - b1) * (g - m)).astype(m.dtype)
        v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
        below = jnp.sqrt(v / left(b2, t, v) + eps_root) + eps
        change = (-(rate / left(b1, t, m)) * (m / below)).astype(m.dtype)
        ends = [0]
        for a in parts[1]:
            ends.append(ends[-1] + a.size)
        pieces = list(zip(parts[1], ends, ends[1:], strict=False))
        return [[a[i:j].reshape(old.shape) for old, i, j in pieces] for a in (change, m, v)]

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        given, tree = jax.tree.flatten(grads)
        mu, nu = jax.tree.leaves(state.mu), jax.tree.leaves(state.nu)
        made: list[list[X]] = [list(given), list(mu), list(nu)]
        for dtype in sorted({str(m.dtype) for m in mu}):
            own = [i for i, m in enumerate(mu) if str(m.dtype) == dtype]
            parts = [[a[i] for i in own] for a in (given, mu, nu)]
            for old, new in zip(made, row(parts, rate, count), strict=True):
                for i, a in zip(own, new, strict=True):
                    old[i] = a
        changes, first, second = (jax.tree.unflatten(tree, a) for a in made)
        return changes, optax.ScaleByAdamState(count, first, second)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.nadamw")
def ThirtyFifthRightJaxAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW as a chain of three closures: moments, the look-ahead over the root, rate and decay."""

    def moments(grads: Tree, state: Any) -> optax.ScaleByAdamState:
        mu = jax.tree.map(lambda m, g: (b1 * m + (1 - b1) * g).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(
            lambda v, g: (v + (weights_of(g, b2) - (1 - b2) * v)).astype(v.dtype), state.nu, grads
        )
        return optax.ScaleByAdamState(optax.safe_increment(state.count), mu, nu)

    def ahead(grads: Tree, state: optax.ScaleByAdamState) -> Tree:
        t = state.count

        def one(g: X, m: X, v: X) -> X:
            above = m * (b1 / left(b1, t + 1, m)) + g * ((1 - b1) / left(b1, t, m))
            return above / (jnp.sqrt(v / left(b2, t, v) + eps_root) + eps)

        return jax.tree.map(one, grads, state.mu, state.nu)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        new, rate, wd = moments(grads, state), at(learning_rate, state.count), at(weight_decay, state.count)
        steps = ahead(grads, new)
        return jax.tree.map(lambda u, p: (-rate * (u + wd * p)).astype(p.dtype), steps, params), new

    return optax.GradientTransformation(begun, update)
