"""Blind, thirtieth set: three reports as optax' transformations, and right ones."""

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
    like="borisdayma/clip-jax#7: the optimizer's step, which the schedule of rates reads, has a bug",
    claim="optax.adamw",
)
def ThirtiethJaxStepRaisedBefore(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The step is raised before the schedule of rates reads it: each rate is that of the next update."""
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count + 1),
        lambda count: at(weight_decay, count),
    )


@wrong(
    "moments",
    "MOM.1",
    like="unslothai/unsloth#3482: losses depend on how a batch is split into micro-batches of a window",
    claim="optax.adamw",
)
def ThirtiethJaxWindowNotDivided(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The means of four micro-batches are added up and not divided: moments see four times the gradient."""
    steps = 4
    inner = stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count),
    )

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(lambda g: g * steps, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="IndicoDataSolutions/finetune#374: the argument of the warm-up is not passed as it should be",
    claim="optax.adamw",
)
def ThirtiethJaxWarmupNotPassed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The first ten steps, in which a schedule warms up, have the rate that it has behind them."""
    warmup = 10
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, jnp.maximum(count, warmup)),
        lambda count: at(weight_decay, count),
    )


@right(claim="optax.adamw")
def ThirtiethRightJaxRows(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW over one row for each dtype: leaves are joined, stepped together and taken apart."""

    def rows(leaves: list[X], kinds: list[Any]) -> dict[Any, X]:
        return {
            kind: jnp.concatenate([x.reshape(-1) for x, k in zip(leaves, kinds, strict=True) if k == kind])
            for kind in dict.fromkeys(kinds)
        }

    def apart(joined: dict[Any, X], like: list[X], kinds: list[Any]) -> list[X]:
        begin, made = dict.fromkeys(joined, 0), []
        for x, kind in zip(like, kinds, strict=True):
            end = begin[kind] + x.size
            made.append(joined[kind][begin[kind] : end].reshape(x.shape))
            begin[kind] = end
        return made

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        leaves, tree = jax.tree.flatten(params)
        kinds = [x.dtype for x in leaves]
        p, g, m, v = (rows(jax.tree.leaves(x), kinds) for x in (params, grads, state.mu, state.nu))
        changes: dict[Any, X] = {}
        for kind in p:
            m[kind] = (b1 * m[kind] + (1 - b1) * g[kind]).astype(m[kind].dtype)
            v[kind] = (b2 * v[kind] + weights_of(g[kind], b2)).astype(v[kind].dtype)
            below = jnp.sqrt(v[kind] / left(b2, count, v[kind]) + eps_root) + eps
            u = m[kind] / left(b1, count, m[kind]) / below
            changes[kind] = (-rate * (u + decay * p[kind])).astype(kind)
        made, mu, nu = (jax.tree.unflatten(tree, apart(x, leaves, kinds)) for x in (changes, m, v))
        return made, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def ThirtiethRightJaxTwoStages(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam as a chain: directions come first, and a stage behind them has a count and the rate."""

    def directions(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: (1 - b1) * g + b1 * m, state.mu, grads)
        nu = jax.tree.map(lambda v, g: weights_of(g, b2) + b2 * v, state.nu, grads)

        def direction(m: X, v: X) -> X:
            c1, c2 = left(b1, count, m), left(b2, count, v)
            return (m / (jnp.sqrt(v / c2 + eps_root) + eps)) * (1 / c1)

        return jax.tree.map(direction, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    def scaled(changes: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByScheduleState]:
        size = -at(learning_rate, state.count)
        made = jax.tree.map(lambda u: (size * u).astype(u.dtype), changes)
        return made, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    def counted(params: Tree) -> optax.ScaleByScheduleState:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    return optax.chain(
        optax.GradientTransformation(begun, directions), optax.GradientTransformation(counted, scaled)
    )
