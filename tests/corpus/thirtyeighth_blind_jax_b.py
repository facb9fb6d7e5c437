"""Blind, thirty-eighth set, second half: reports of schedules as optax' transformations, and right ones."""

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
    like="saforem2/ezpz#128: the scheduler's step and the optimizer's are in the wrong order, by one",
    claim="optax.adamw",
)
def ThirtyEighthBJaxSchedulerFirst(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The scheduler is stepped before the optimizer: each update has the rate of the one behind it."""
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count + 1), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule loss_scale nonfinite",
    "SCALE.2",
    like="Lightning-AI/pytorch-lightning#21339: AMP skips the optimizer's step, and not the scheduler's",
    claim="optax.adam",
)
def ThirtyEighthBJaxScheduleOfSkipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """An update of gradients that are not finite is skipped, and the schedule goes on by one all the same."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: 1.0)

    def init(params: Tree) -> tuple[Any, Any]:
        return inner.init(params), optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        adam, schedule = state
        finite = jnp.asarray(True)
        for g in jax.tree.leaves(grads):
            finite = finite & jnp.isfinite(g).all()
        changes, new = inner.update(grads, adam, params)
        rate = at(learning_rate, schedule.count)
        changes = jax.tree.map(lambda u: jnp.where(finite, (rate * u).astype(u.dtype), 0), changes)
        new = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, adam)
        return changes, (new, optax.ScaleByScheduleState(optax.safe_increment(schedule.count)))

    return optax.GradientTransformation(init, update)


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/accelerate#662: a prepared scheduler goes on by the number of processes in each update",
    claim="optax.adamw",
)
def ThirtyEighthBJaxStepOfEachProcess(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The schedule, counted in updates, is stepped by both of two processes: it is over in half the time."""
    num_processes = 2
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count * num_processes), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/diffusers#9308: with epochs given, a distributed scheduler has a wrong number of steps",
    claim="optax.adam",
)
def ThirtyEighthBJaxLengthNotDivided(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The schedule's length is of a loader that two processes do not share yet: it takes twice as long."""
    num_processes = 2
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count // num_processes))


@right(claim="optax.adamw")
def ThirtyEighthBRightJaxChained(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as a chain of two: moments by interpolation, then decay and rate, with a count of their own."""

    def direction(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        count = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: (m + (1 - b1) * (g - m)).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(
            lambda v, g: (v + (weights_of(g, b2) - (1 - b2) * v)).astype(v.dtype), state.nu, grads
        )

        def ratio(m: X, v: X) -> X:
            return (m / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)) / left(b1, count, m)

        return jax.tree.map(ratio, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    def length(changes: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        changes = jax.tree.map(lambda u, p: (-(rate * (u + decay * p))).astype(p.dtype), changes, params)
        return changes, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    return optax.chain(
        optax.GradientTransformation(begun, direction),
        optax.GradientTransformation(
            lambda params: optax.ScaleByScheduleState(jnp.zeros((), jnp.int32)), length
        ),
    )


@right(claim="optax.adam")
def ThirtyEighthBRightJaxRows(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam that makes a row of each leaf, steps the rows in a list, and shapes them again."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        leaves, outer = jax.tree.flatten(grads)
        shapes = [jnp.shape(g) for g in leaves]
        gs, ms, vs = ([jnp.ravel(a) for a in jax.tree.leaves(x)] for x in (grads, state.mu, state.nu))
        ms = [(b1 * m + (1 - b1) * g).astype(m.dtype) for m, g in zip(ms, gs, strict=True)]
        vs = [(b2 * v + weights_of(g, b2)).astype(v.dtype) for v, g in zip(vs, gs, strict=True)]
        us = [
            (-rate * (m / left(b1, count, m)) / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)).astype(
                m.dtype
            )
            for m, v in zip(ms, vs, strict=True)
        ]
        changes, mu, nu = (
            jax.tree.unflatten(outer, [jnp.reshape(row, shape) for row, shape in zip(x, shapes, strict=True)])
            for x in (us, ms, vs)
        )
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
