"""Blind, twenty-sixth set: reports of schedules and clips as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


def averaged(grads: Tree, state: Any, b1: float, b2: float) -> tuple[Tree, Tree]:
    """Return both moments behind a gradient."""
    mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
    nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)
    return mu, nu


def ratio(m: X, v: X, count: X, b1: float, b2: float, eps: float, eps_root: float) -> X:
    """Return the corrected first moment over its denominator."""
    below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
    return m / left(b1, count, m) / below


class Counted(NamedTuple):
    """Adam's state beside the count of a schedule."""

    count: X
    mu: Tree
    nu: Tree
    step_count: X


@wrong(
    "schedule",
    "LR.1",
    like="google-deepmind/optax#1744: a count begins at 1, and a schedule is called before it is raised",
    claim="optax.adam",
)
def TwentySixthJaxCountBeginsAtOne(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule has a count of its own, which begins at 1: its rate at 0 is that of no step."""

    def init(params: Tree) -> Counted:
        start = begun(params)
        return Counted(start.count, start.mu, start.nu, step_count=jnp.ones((), jnp.int32))

    def update(grads: Tree, state: Counted, params: Tree = None) -> tuple[Tree, Counted]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.step_count)
        mu, nu = averaged(grads, state, b1, b2)

        def change(m: X, v: X) -> X:
            return (-rate * ratio(m, v, count, b1, b2, eps, eps_root)).astype(m.dtype)

        new = Counted(count, mu, nu, optax.safe_increment(state.step_count))
        return jax.tree.map(change, mu, nu), new

    return optax.GradientTransformation(init, update)


@wrong(
    "schedule",
    "LR.1",
    like="crowsonkb/k-diffusion#50: the scheduler is stepped with the optimizer, and its warmup is of epochs",
    claim="optax.adamw",
)
def TwentySixthJaxWarmupOfEpochs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Each step counts as an epoch of 100 steps to a schedule of rates, whose warmup is over at once."""
    steps_per_epoch = 100
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count * steps_per_epoch),
        lambda count: at(weight_decay, count),
    )


@wrong(
    "clipping",
    "CLIP.3",
    like="google-deepmind/optax#408: the alias of Adafactor clips the gradients, and not the update",
    claim="optax.adam",
)
def TwentySixthJaxGradientsOfBlockClipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Each gradient is cut down to a root mean square of 1 before the moments see it."""
    clipping_threshold = 1.0

    def clipped(g: X) -> X:
        if not g.size:
            return g
        rms = jnp.sqrt(jnp.mean(jnp.abs(g) ** 2))
        return g / jnp.maximum(1.0, rms / clipping_threshold).astype(g.real.dtype)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        mu, nu = averaged(jax.tree.map(clipped, grads), state, b1, b2)

        def change(m: X, v: X) -> X:
            return (-rate * ratio(m, v, count, b1, b2, eps, eps_root)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "schedule",
    "LR.1",
    like="google-deepmind/optax#415: inject_hyperparams calls a schedule with a count of 1 at first",
    claim="optax.adamw",
)
def TwentySixthJaxInjectedAtOne(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The count is raised before schedules are called, of rates and of decays: the first call is with 1."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        injected = {name: at(x, count) for name, x in (("lr", learning_rate), ("decay", weight_decay))}
        mu, nu = averaged(grads, state, b1, b2)

        def change(m: X, v: X, p: X) -> X:
            u = ratio(m, v, count, b1, b2, eps, eps_root) + injected["decay"] * p
            return (-injected["lr"] * u).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adamw")
def TwentySixthRightJaxOnePass(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW that goes once over a list of leaves, and transposes what each gives into three trees."""

    def leaf(g: X, m: X, v: X, p: X, count: X, rate: X, decay: X) -> tuple[X, X, X]:
        m = m + (1 - b1) * (g - m)
        v = weights_of(g, b2) + b2 * v
        u = ratio(m, v, count, b1, b2, eps, eps_root)
        u += decay * p
        return (u * -rate).astype(p.dtype), m, v

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        gs, tree = jax.tree.flatten(grads)
        lists = (jax.tree.leaves(x) for x in (state.mu, state.nu, params))
        rows = [leaf(g, m, v, p, count, rate, decay) for g, m, v, p in zip(gs, *lists, strict=True)]
        changes, mu, nu = (jax.tree.unflatten(tree, [row[i] for row in rows]) for i in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
