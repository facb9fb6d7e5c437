"""Blind, thirty-first set: reports of schedules and of NaN as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun, counting_bad
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/diffusers#1957: lengths of warm-up and decay are divided by the accumulation steps",
    claim="optax.adamw",
)
def ThirtyFirstJaxLengthsDivided(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule's length is divided by the two micro-batches of a step: it is over in half of the steps."""
    gradient_accumulation_steps = 2
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count * gradient_accumulation_steps),
        lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule",
    "LR.1",
    like="galilai-group/stable-worldmodel#280: horizons are in steps, and the scheduler is stepped by epochs",
    claim="optax.adamw",
)
def ThirtyFirstJaxSteppedByEpochs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of steps goes on once in an epoch of ten: a run is over before its warm-up is."""
    steps_per_epoch = 10
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count // steps_per_epoch), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "schedule",
    "LR.1",
    like="liuzechun/ReActNet#32: scheduler.step() is called before the epoch's steps, the first rate is lost",
    claim="optax.adam",
)
def ThirtyFirstJaxFirstRateSkipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The schedule is stepped before the update: the first rate is skipped, each later one comes early."""
    scheduled = stepped(b1, b2, eps, eps_root, lambda count: jnp.ones(()))

    def init(params: Tree) -> Any:
        return scheduled.init(params), optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        inner, scheduler = state
        scheduler = optax.ScaleByScheduleState(optax.safe_increment(scheduler.count))
        changes, inner = scheduled.update(grads, inner, params)
        rate = at(learning_rate, scheduler.count)
        return jax.tree.map(lambda u: (rate * u).astype(u.dtype), changes), (inner, scheduler)

    return optax.GradientTransformation(init, update)


@wrong(
    "loss_scale nonfinite",
    "SCALE.2",
    like="Cryolite/kanachan#33: steps are taken where a gradient has a NaN in it",
    claim="optax.adam",
)
def ThirtyFirstJaxNaNIsTaken(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A step with an infinity in its gradients is skipped, and one that has a NaN is counted and made."""
    inner = optax.adam(learning_rate, b1, b2, eps, eps_root)

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        infinite = [jnp.any(jnp.isinf(g)) for g in jax.tree.leaves(grads)]
        taken = ~jnp.any(jnp.asarray(infinite or [False]))
        changes, new = inner.update(grads, state, params)
        kept = jax.tree.map(lambda a, b: jnp.where(taken, a, b), new, state)
        return jax.tree.map(lambda c: jnp.where(taken, c, jnp.zeros_like(c)), changes), kept

    return counting_bad(inner, step)


@right(claim="optax.adam")
def ThirtyFirstRightJaxConditional(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam that is one branch of a condition; the other one, for bad steps, hands the state on."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        def made(_: None) -> tuple[Tree, Any]:
            return inner.update(grads, state, params)

        def passed(_: None) -> tuple[Tree, Any]:
            return jax.tree.map(jnp.zeros_like, grads), state

        return jax.lax.cond(finite, made, passed, None)

    return counting_bad(inner, step)


@right(claim="optax.adamw")
def ThirtyFirstRightJaxLeafByLeaf(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW of one leaf as a function of its own, mapped once over the leaves; the decay joins at the end."""

    def leaf(scalars: tuple[X, X, X], row: tuple[X, X, X, X]) -> tuple[X, X, X]:
        (rate, decay, count), (g, m, v, p) = scalars, row
        m = m + (1 - b1) * (g - m)
        v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
        root = jnp.sqrt(v / left(b2, count, v) + eps_root)
        u = (m / left(b1, count, m)) / (root + eps)
        change = -rate * u
        change = change - (rate * decay) * p
        return change.astype(p.dtype), m.astype(p.dtype), v

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        scalars = at(learning_rate, state.count), at(weight_decay, state.count), count
        tree = jax.tree.structure(params)
        rows = zip(*(jax.tree.leaves(x) for x in (grads, state.mu, state.nu, params)), strict=True)
        made = [leaf(scalars, row) for row in rows]
        changes, mu, nu = (jax.tree.unflatten(tree, [x[i] for x in made]) for i in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
