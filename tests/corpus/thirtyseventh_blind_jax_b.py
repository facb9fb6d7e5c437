"""Blind, thirty-seventh set, second half: reports of schedules, masks and windows for optax; a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of

GROUPS = 2


def of_group(k: int, tree: Tree) -> Tree:
    """Return for each leaf whether it is in this group, to which every second leaf belongs."""
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, [i % GROUPS == k for i in range(len(leaves))])


@wrong(
    "schedule",
    "LR.1",
    like="mindee/doctr#374: a schedule has epochs*samples/batch steps, an epoch has whole batches",
    claim="optax.adamw",
)
def ThirtySeventhBJaxTooFewSteps(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule is made for 20 samples in batches of 8: it goes by 3 steps in 2.5 updates."""
    samples, batch_size = 20, 8
    batches = -(-samples // batch_size)

    def rate(count: X) -> X:
        return at(learning_rate, count * (batches * batch_size) // samples)

    return stepped(b1, b2, eps, eps_root, rate, lambda count: at(weight_decay, count))


@wrong(
    "groups moments",
    "STEP.1",
    like="google-deepmind/optax#1101: masked Adams, one for each group, are chained, and all updates are 0",
    claim="optax.adamw",
)
def ThirtySeventhBJaxChainedMasks(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Groups are chained, and each sets to zero what its mask leaves out: no parameter is ever moved."""
    links = []
    for k in range(GROUPS):
        inner = stepped(
            b1, b2, eps, eps_root,
            lambda count: at(learning_rate, count), lambda count: at(weight_decay, count),
        )  # fmt: skip
        links.append(optax.masked(inner, lambda tree, k=k: of_group(k, tree)))
        out = lambda tree, k=k: jax.tree.map(lambda own: not own, of_group(k, tree))  # noqa: E731
        links.append(optax.masked(optax.set_to_zero(), out))
    return optax.chain(*links)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="deepspeedai/Megatron-DeepSpeed#42: the loss is divided by micro-batches, and by the engine again",
    claim="optax.adam",
)
def ThirtySeventhBJaxScaledTwice(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Each of eight micro-batches is divided by their number twice: moments see an eighth of the gradient."""
    accumulation = 8
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        total = jax.tree.map(jnp.zeros_like, grads)
        for _ in range(accumulation):
            scaled = jax.tree.map(lambda g: g / accumulation, grads)
            total = jax.tree.map(lambda a, g: a + g / accumulation, total, scaled)
        return inner.update(total, state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtySeventhBRightJaxPartition(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose leaves are in two lists, by turns, each stepped by itself and put back to its places."""

    def some(
        k: int, grads: list[X], state: Any, params: list[X], count: X
    ) -> list[tuple[X, X, X]]:  # fmt: skip
        rate, decay = at(learning_rate, count - 1), at(weight_decay, count - 1)
        made = []
        for g, m, v, p in list(zip(grads, *state, params, strict=True))[k::GROUPS]:
            m = (b1 * m + (1 - b1) * g).astype(m.dtype)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            u = (m / left(b1, count, m)) / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)
            made.append(((-rate * u - rate * decay * p).astype(p.dtype), m, v))
        return made

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        outer: Any = jax.tree.structure(params)
        count = optax.safe_increment(state.count)
        of = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu, params)]
        triples: list[Any] = [None] * outer.num_leaves
        for k in range(GROUPS):
            triples[k::GROUPS] = some(k, of[0], of[1:3], of[3], count)
        changes, mu, nu = (jax.tree.unflatten(outer, [row[j] for row in triples]) for j in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
