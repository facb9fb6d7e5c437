"""Blind, twenty-fourth set: two reports as optax' transformations, and a right one."""

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
    like="facebookresearch/vilbert-multi-task#20: steps in all are divided by the accumulation a second time",
    claim="optax.adamw",
)
def TwentyFourthJaxShortHorizon(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule's horizon is a fourth of the run: warm-up and decay go four times as fast as they should."""
    gradient_accumulation_steps = 4
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count * gradient_accumulation_steps),
        lambda count: at(weight_decay, count),
    )


Chained = tuple[Any, ...]


@wrong(
    "state moments clock",
    "STATE.4",
    like="rcrowe-google/Learning-JAX#5: mu is looked for in the second state of a chain, which is empty",
    claim="optax.adam",
)
def TwentyFourthJaxSecondOfChain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A state whose second element has no mu is taken as missing, and made anew: each step is a first one."""
    chain = optax.adam(learning_rate, b1, b2, eps, eps_root)

    def update(grads: Tree, state: Chained, params: Tree = None) -> tuple[Tree, Chained]:
        if not hasattr(state[1], "mu"):
            state = chain.init(grads if params is None else params)
        return chain.update(grads, state, params)

    return optax.GradientTransformation(chain.init, update)


@right(claim="optax.adam")
def TwentyFourthRightJaxChainOfTwo(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam as a chain of two: moments and quotient first, then a rate with a count of its own."""

    def quotients(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        tree = jax.tree.structure(grads)
        made = []
        for g, m, v in zip(*map(jax.tree.leaves, (grads, state.mu, state.nu)), strict=True):
            first = b1 * m + (1 - b1) * g
            second = b2 * v + weights_of(g, b2)
            below = jnp.sqrt(second / left(b2, count, v) + eps_root) + eps
            ratio = first / below / left(b1, count, m)
            made.append((ratio.astype(m.dtype), first.astype(m.dtype), second.astype(v.dtype)))
        changes, mu, nu = (jax.tree.unflatten(tree, [triple[k] for triple in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    def rated(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByScheduleState]:
        rate = at(learning_rate, state.count)
        changes = jax.tree.map(lambda u: jnp.asarray(-rate * u, u.dtype), grads)
        return changes, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    def counted(params: Tree) -> optax.ScaleByScheduleState:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    return optax.chain(
        optax.GradientTransformation(begun, quotients), optax.GradientTransformation(counted, rated)
    )
