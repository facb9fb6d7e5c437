"""Blind, thirty-first set: reports of schedules and windows as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "maximize",
    "STEP.1",
    like="facebookresearch/minimax#10: the schedule's rate is negated, and the chain negates it once more",
    claim="optax.adam",
)
def ThirtyFirstBJaxNegatedTwice(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The schedule gives a negated rate to a step that negates it: parameters go up the slope."""

    def schedule_fn(count: X) -> X:
        return -at(learning_rate, count)

    return stepped(b1, b2, eps, eps_root, schedule_fn)


@wrong(
    "schedule",
    "LR.1",
    like="axolotl-ai-cloud/axolotl#1170: the total of steps leaves out the accumulation of gradients",
    claim="optax.adamw",
)
def ThirtyFirstBJaxTotalTooLarge(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule is made for four times the steps that there are: it advances once in four updates."""
    accumulation = 4
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count // accumulation), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule",
    "LR.1",
    like="sgl-project/SpecForge#364: the scheduler advances with the micro-step, and not with the update",
    claim="optax.adamw",
)
def ThirtyFirstBJaxRateOfMicroStep(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule has the number of the last of a window's four micro-steps, and not that of the update."""
    window = 4

    def rate(count: X) -> X:
        return at(learning_rate, count * window + (window - 1))

    return stepped(b1, b2, eps, eps_root, rate, lambda count: at(weight_decay, count))


@wrong(
    "moments clock",
    "MOM.1",
    like="borisdayma/dalle-mini#11: the state is made with adamw, and not with the accumulation around it",
    claim="optax.adamw",
)
def ThirtyFirstBJaxNotAccumulated(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Four micro-batches are four updates, since nothing accumulates their gradients to one."""
    micro_batches = 4
    inner = stepped(
        b1, b2, eps, eps_root, lambda count: at(learning_rate, count), lambda count: at(weight_decay, count)
    )

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        moved = params
        for _ in range(micro_batches):
            changes, state = inner.update(grads, state, moved)
            moved = optax.apply_updates(moved, changes)
        return jax.tree.map(lambda a, b: a - b, moved, params), state

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtyFirstBRightJaxChained(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of three passes over the trees: Adam's ratio, the decay that joins it, and one negated rate."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        before, count = state.count, optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: m + (1 - b1) * (g - m), state.mu, grads)
        nu = jax.tree.map(lambda v, g: (b2 * v + weights_of(g, b2)).astype(v.dtype), state.nu, grads)

        def ratio(m: X, v: X) -> X:
            return (m / left(b1, count, m)) / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)

        ratios = jax.tree.map(ratio, mu, nu)
        wd, rate = at(weight_decay, before), at(learning_rate, before)
        decayed = jax.tree.map(lambda u, p: u + wd * p, ratios, params)
        changes = jax.tree.map(lambda u, p: (-rate * u).astype(p.dtype), decayed, params)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.nadam")
def ThirtyFirstBRightJaxLookAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam with a look-ahead, leaf by leaf in one function, over trees that are flattened before."""

    def leaf(t: X, rate: X, g: X, m: X, v: X) -> tuple[X, X, X]:
        m = b1 * m + (1 - b1) * g
        v = b2 * v + weights_of(g, b2)
        ahead = (b1 / left(b1, t + 1, m)) * m + ((1 - b1) / left(b1, t, m)) * g
        below = jnp.sqrt(v / left(b2, t, v) + eps_root) + eps
        return (-rate * (ahead / below)).astype(g.dtype), m, v

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        leaves, tree = jax.tree.flatten(grads)
        moments = zip(jax.tree.leaves(state.mu), jax.tree.leaves(state.nu), strict=True)
        made = [leaf(count, rate, g, m, v) for g, (m, v) in zip(leaves, moments, strict=True)]
        changes, mu, nu = (jax.tree.unflatten(tree, [x[k] for x in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
