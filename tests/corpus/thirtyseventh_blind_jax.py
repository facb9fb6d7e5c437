"""Blind, thirty-seventh set: three reports as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "moments epsilon",
    "MOM.1",
    like="NVIDIA/Megatron-LM#906: a loss times cp_size, and gradients over the data-parallel size alone",
    claim="optax.adamw",
)
def ThirtySeventhJaxTimesContextRanks(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The loss is multiplied by four context ranks, and nothing divides by these: moments see 4*g."""
    cp_size = 4
    inner = stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count), lambda count: at(weight_decay, count),
    )  # fmt: skip

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(lambda g: g * cp_size, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "compilation",
    "STEP.3",
    like="ekzhang/jax-js#149: the correction reads the count by item(), which cannot be traced",
    claim="optax.adam",
)
def ThirtySeventhJaxCountOutsideGraph(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The corrections are of a number that item() takes out of the graph: under jit a step is an error."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, lr = optax.safe_increment(state.count), at(learning_rate, state.count)
        t = count.item()
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)
        c1, c2 = 1 - b1**t, 1 - b2**t
        changes = jax.tree.map(
            lambda m, v: (-lr * (m / c1 / (jnp.sqrt(v / c2 + eps_root) + eps))).astype(m.dtype), mu, nu
        )
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "complex",
    "CPX.3",
    like="netket/netket#1127: gradients of squared operators are off by 2 for complex models",
    claim="optax.adam",
)
def ThirtySeventhJaxComplexTwice(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A complex gradient and its conjugate are both counted: complex arrays step by twice their gradient."""
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def both(g: X) -> X:
        return g + jnp.conj(jnp.conj(g)) if jnp.iscomplexobj(g) else g

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(both, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adam")
def ThirtySeventhRightJaxCountInGraph(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam whose corrections are made of logarithms in the graph, from the count as a floating number."""

    def gone(b: float, count: X) -> X:
        t = count.astype(jnp.result_type(float))
        return -jnp.expm1(t * jnp.log(jnp.asarray(b, t.dtype)))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: (m + (1 - b1) * (g - m)).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(lambda v, g: (b2 * v + weights_of(g, b2)).astype(v.dtype), state.nu, grads)
        c1, c2 = gone(b1, count), gone(b2, count)

        def change(m: X, v: X) -> X:
            below = jnp.sqrt(v / c2.astype(v.dtype) + eps_root) + eps
            return (-(m / below) * (rate / c1)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adamw")
def ThirtySeventhRightJaxChained(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as a chain of two: what makes the direction, and what has decay and rate, with a count each."""

    def direction(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: (b1 * m + (1 - b1) * g).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(
            lambda v, g: (v + (weights_of(g, b2) - (1 - b2) * v)).astype(v.dtype), state.nu, grads
        )
        up = jax.tree.map(
            lambda m, v: (m / left(b1, count, m)) / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps),
            mu,
            nu,
        )
        return up, optax.ScaleByAdamState(count, mu, nu)

    def none(params: Tree) -> optax.ScaleByScheduleState:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def descent(up: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByScheduleState]:
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        changes = jax.tree.map(lambda u, p: (-rate * (u + decay * p)).astype(p.dtype), up, params)
        return changes, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    first, second = (optax.GradientTransformation(*x) for x in ((begun, direction), (none, descent)))
    return optax.chain(first, second)
