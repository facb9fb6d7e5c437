"""Blind, thirty-sixth set, second half: schedules and sums as optax' transformations, and right ones."""

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
    like="Lightning-AI/pytorch-lightning#3869: a schedule of batches has no interval, and ticks with epochs",
    claim="optax.adamw",
)
def ThirtySixthBJaxTicksWithEpochs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule for batches goes on once in an epoch, which has a hundred: it stays at its first rate."""
    batches = 100
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count // batches), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule",
    "LR.1",
    like="paiml/entrenar#277: without max_steps, which no config has, a cosine is a constant rate",
    claim="optax.adam",
)
def ThirtySixthBJaxConstantInstead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule of which nobody knows how long it is becomes a constant, its first rate, without a word."""
    config: dict[str, int] = {}
    max_steps = config.get("max_steps")

    def rate(count: X) -> X:
        return at(learning_rate, jnp.zeros_like(count) if max_steps is None else count)

    return stepped(b1, b2, eps, eps_root, rate)


@wrong(
    "mixed_precision storage",
    "NUM.1",
    like="ISEEKYAN/Megatron-LM#149: micro-batches add up in bf16, and are fp32 from the reduce-scatter on",
    claim="optax.adamw",
)
def ThirtySixthBJaxBufferOfBrain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Gradients of four micro-batches are added up in a buffer of bfloat16, which is widened for the step."""
    micro_batches = 4
    inner = stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count), lambda count: at(weight_decay, count)
    )

    def brain(x: X) -> X:
        return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)

    def buffered(g: X) -> X:
        if jnp.iscomplexobj(g):
            return jax.lax.complex(buffered(g.real), buffered(g.imag))
        buffer = brain(g / micro_batches)
        for _ in range(1, micro_batches):
            buffer = brain(buffer + brain(g / micro_batches))
        return buffer

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(buffered, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtySixthBRightJaxLinks(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as functions from a tree to a tree, which are called one after the other: ratio, decay, rate."""

    def moments(grads: Tree, state: Any) -> optax.ScaleByAdamState:
        mu = jax.tree.map(lambda m, g: (m + (1 - b1) * (g - m)).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(
            lambda v, g: (v + (weights_of(g, b2) - (1 - b2) * v)).astype(v.dtype), state.nu, grads
        )
        return optax.ScaleByAdamState(optax.safe_increment(state.count), mu, nu)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        new = moments(grads, state)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def ratio(m: X, v: X) -> X:
            below = jnp.sqrt(v / left(b2, new.count, v) + eps_root) + eps
            return m / below / left(b1, new.count, m)

        links = (
            lambda tree: jax.tree.map(lambda u, p: u + decay * p, tree, params),
            lambda tree: jax.tree.map(lambda u, p: (-rate * u).astype(p.dtype), tree, params),
        )
        changes = jax.tree.map(ratio, new.mu, new.nu)
        for link in links:
            changes = link(changes)
        return changes, new

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def ThirtySixthBRightJaxOneRow(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam whose leaves of one dtype are joined to a row, which is stepped and cut up again."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        gs, tree = jax.tree.flatten(grads)
        ms, vs = jax.tree.leaves(state.mu), jax.tree.leaves(state.nu)
        made: list[Any] = [None] * len(gs)
        for dtype in dict.fromkeys(m.dtype for m in ms):
            places = [i for i, m in enumerate(ms) if m.dtype == dtype]
            g, m, v = (jnp.concatenate([jnp.ravel(x[i]) for i in places]) for x in (gs, ms, vs))
            m = (b1 * m + (1 - b1) * g).astype(m.dtype)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            change = ((-rate / left(b1, count, m)) * (m / below)).astype(m.dtype)
            start = 0
            for i in places:
                end = start + gs[i].size
                made[i] = [x[start:end].reshape(gs[i].shape) for x in (change, m, v)]
                start = end
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
