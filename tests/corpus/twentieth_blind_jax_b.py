"""Blind, twentieth set: optax transformations after the bugs of others, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import equivalent, right, wrong
from twentieth_blind_frame_jax import left, weights_of


@equivalent(
    "probes give every hyperparameter; a note says that this default is another one", claim="optax.adamw"
)
def TwentiethBJaxDecayNearOne(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 0.99,
) -> optax.GradientTransformation:  # fmt: skip
    """Where no weight decay is given it is 0.99, as if it were what is left of a parameter."""
    return optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)


@wrong(
    "schedule",
    "LR.1",
    like="ooples/AiDotNet.Tensors#349: without warmup a cosine begins at 1/total of its way, and not at 0",
    claim="optax.adamw",
)
def TwentiethBJaxScheduleOneAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates is called with the count of the update that is made: the first one's is 1."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X, p: X) -> X:
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return (-rate * (m / left(b1, count, m) / below + decay * p)).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adamw")
def TwentiethBRightJaxConcatenated(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW over all leaves of a dtype as one row, which is cut again behind the step."""

    def row(leaves: list[X]) -> X:
        return jnp.concatenate([leaf.reshape(-1) for leaf in leaves])

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        lists = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu, params)]
        places: dict[Any, list[int]] = {}
        for i, p in enumerate(lists[3]):
            places.setdefault(p.dtype, []).append(i)
        made: list[list[X]] = [[None] * len(lists[3]) for _ in range(3)]
        for own in places.values():
            g, m, v, p = (row([leaves[i] for i in own]) for leaves in lists)
            m, v = b1 * m + (1 - b1) * g, b2 * v + weights_of(g, b2)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            change = (-rate * (m / left(b1, count, m) / below + decay * p)).astype(p.dtype)
            begin = 0
            for i in own:
                like = lists[3][i]
                for k, whole in enumerate((change, m, v)):
                    made[k][i] = whole[begin : begin + like.size].reshape(like.shape)
                begin += like.size
        tree = jax.tree.structure(grads)
        changes, mu, nu = (jax.tree.unflatten(tree, leaves) for leaves in made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


class Record(NamedTuple):
    """What is remembered of a leaf."""

    mu: X
    nu: X


class Records(NamedTuple):
    """A count, and a record for each leaf, in the order of the tree."""

    count: X
    records: tuple[Record, ...]


@right(claim="optax.nadamw")
def TwentiethBRightJaxRecords(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW with a look-ahead, whose state is a tuple of records, and whose decay has a place of its own."""

    def init(params: Tree) -> Records:
        leaves = jax.tree.leaves(params)
        records = tuple(Record(jnp.zeros_like(p), jnp.zeros_like(p.real)) for p in leaves)
        return Records(jnp.zeros((), jnp.int32), records)

    def remembered(record: Record, g: X) -> Record:
        w = 1 - b1
        mu = record.mu + w * (g - record.mu) if w < 0.5 else b1 * record.mu + w * g
        return Record(mu, b2 * record.nu + weights_of(g, b2))

    def ahead(record: Record, g: X, t: X) -> X:
        now, after = left(b1, t, record.mu), left(b1, t + 1, record.mu)
        above = record.mu * (b1 / after) + g * ((1 - b1) / now)
        return above / (jnp.sqrt(record.nu / left(b2, t, record.nu) + eps_root) + eps)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Records]:
        t = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        gs, ps = jax.tree.leaves(grads), jax.tree.leaves(params)
        records = tuple(remembered(r, g) for r, g in zip(state.records, gs, strict=True))
        changes = [
            (-(rate * decay) * p - rate * ahead(r, g, t)).astype(p.dtype)
            for r, g, p in zip(records, gs, ps, strict=True)
        ]
        return jax.tree.unflatten(jax.tree.structure(grads), changes), Records(t, records)

    return optax.GradientTransformation(init, update)
