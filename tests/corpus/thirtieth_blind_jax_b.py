"""Blind, thirtieth set: reports of schedules as optax' transformations, and right ones."""

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
    like="pytorch/pytorch#22107: at a milestone get_lr's rate is decayed once more than the one in use",
    claim="optax.adamw",
)
def ThirtiethBJaxDecayedOnceMore(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """In a step where a schedule's rate falls, it falls twice as far: by the factor once more."""

    def rate(count: X) -> X:
        before, now = (at(learning_rate, jnp.maximum(count - k, 0)) for k in (1, 0))
        before, now = jnp.asarray(before, float), jnp.asarray(now, float)
        falls = (now < before) & (before > 0)
        return jnp.where(falls, now * now / jnp.where(falls, before, 1.0), now)

    return stepped(b1, b2, eps, eps_root, rate, lambda count: at(weight_decay, count))


@wrong(
    "loss_scale schedule",
    "SCALE.2",
    like="pytorch/pytorch#44511: lr_scheduler.step() goes on where the scaler skipped the optimizer's step",
    claim="optax.adam",
)
def ThirtiethBJaxValuesConsumed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Gradients that are not finite change nothing, and consume a value of the schedule."""
    inner = optax.adam(learning_rate, b1, b2, eps, eps_root)

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        changes, (new, scheduler) = inner.update(grads, state, params)
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state[0])
        changes = jax.tree.map(lambda c: jnp.where(finite, c, jnp.zeros_like(c)), changes)
        return changes, (kept, scheduler)

    return counting_bad(inner, step)


@wrong(
    "schedule hyperparameters",
    "LR.1",
    like="pyro-ppl/numpyro#401: the port has no decay of the learning rate, and takes the argument",
    claim="optax.adam",
)
def ThirtiethBJaxRateIsConstant(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A rate that decays is taken, and each step has the first one."""
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, jnp.zeros_like(count)))


@wrong(
    "schedule",
    "LR.1",
    like="songmzhang/KDFlow#4: a schedule of as many steps as rollouts is stepped with each update of one",
    claim="optax.adamw",
)
def ThirtiethBJaxScheduleOfRollouts(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule is for rollouts, of which each has four updates, and each update takes it a step on."""
    updates = 4
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count * updates), lambda count: at(weight_decay, count),
    )  # fmt: skip


@right(claim="optax.adamw")
def ThirtiethBRightJaxRavelled(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose leaves of one dtype are joined in a row for the step, and cut apart behind it."""

    def joined(leaves: list[X], of: list[int]) -> X:
        return jnp.concatenate([leaves[i].reshape(-1) for i in of])

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        tree = jax.tree.structure(params)
        trees = [jax.tree.leaves(x) for x in (grads, state.mu, state.nu, params)]
        kinds: dict[Any, list[int]] = {}
        for i, p in enumerate(trees[3]):
            kinds.setdefault(p.dtype, []).append(i)
        made: list[dict[int, X]] = [{}, {}, {}]
        for of in kinds.values():
            g, m, v, p = (joined(leaves, of) for leaves in trees)
            m, v = b1 * m + (1 - b1) * g, b2 * v + weights_of(g, b2)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            change = (-rate * (m / below / left(b1, count, m) + decay * p)).astype(p.dtype)
            ends = [sum(trees[3][i].size for i in of[: k + 1]) for k in range(len(of) - 1)]
            for k, row in enumerate((change, m, v)):
                for i, part in zip(of, jnp.split(row, ends), strict=True):
                    made[k][i] = part.reshape(trees[3][i].shape)
        changes, mu, nu = (jax.tree.unflatten(tree, [x[i] for i in range(len(x))]) for x in made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def ThirtiethBRightJaxWholeStep(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam of which a bad step is chosen away as a whole, and takes no value of the schedule with it."""
    inner = optax.adam(learning_rate, b1, b2, eps, eps_root)

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)
        chosen = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
        return jax.tree.map(lambda c: jnp.where(finite, c, jnp.zeros_like(c)), changes), chosen

    return counting_bad(inner, step)
