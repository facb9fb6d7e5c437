"""Blind, thirty-sixth set: three reports as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "complex",
    "CPX.3",
    like="netket/netket#2190: the gradient of a complex parameter is handed on times 2",
    claim="optax.adamw",
)
def ThirtySixthJaxTwiceForComplex(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The gradient of a complex parameter is multiplied by 2, that of a real one is not."""
    inner = stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count),
    )

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        forces = jax.tree.map(lambda g: 2 * g if jnp.iscomplexobj(g) else g, grads)
        return inner.update(forces, state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/transformers#35484: a cosine advances with each micro-step, and rises behind its cycle",
    claim="optax.adamw",
)
def ThirtySixthJaxCosineRunsOver(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates that was planned in updates is advanced twice in each one."""
    gradient_accumulation_steps = 2

    def advanced(count: X) -> X:
        return at(learning_rate, count * gradient_accumulation_steps)

    return stepped(b1, b2, eps, eps_root, advanced, lambda count: at(weight_decay, count))


class Averaged(NamedTuple):
    """The state of an Adam with averages of its variables."""

    inner: optax.ScaleByAdamState
    model_variables_moving_average: Tree


@wrong(
    "moments aliasing",
    "STEP.1",
    like="keras-team/keras#18951: with use_ema the JAX optimizer never updates its averages",
    claim="optax.adam",
)
def ThirtySixthJaxAveragesStay(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Every fourth step overwrites the variables with averages that are what they were at the start."""
    ema_overwrite_frequency = 4
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def init(params: Tree) -> Averaged:
        return Averaged(inner.init(params), jax.tree.map(jnp.array, params))

    def update(grads: Tree, state: Averaged, params: Tree = None) -> tuple[Tree, Averaged]:
        changes, new = inner.update(grads, state.inner, params)
        averages = state.model_variables_moving_average
        overwrites = new.count % ema_overwrite_frequency == 0

        def chosen(change: X, average: X, p: X) -> X:
            return jnp.where(overwrites, average - p, change).astype(p.dtype)

        return jax.tree.map(chosen, changes, averages, params), Averaged(new, averages)

    return optax.GradientTransformation(init, update)


@right(claim="optax.adamw")
def ThirtySixthRightJaxRowsByDtype(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW over one row for each dtype; rows are joined and split again in each step."""

    def joined(leaves: list[X], own: list[int]) -> X:
        return jnp.concatenate([leaves[i].reshape(-1) for i in own])

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        p, tree = jax.tree.flatten(params)
        g, m, v = (jax.tree.leaves(x) for x in (grads, state.mu, state.nu))
        made: list[list[X]] = [list(p), list(m), list(v)]
        by_dtype: dict[Any, list[int]] = {}
        for i, x in enumerate(p):
            by_dtype.setdefault(x.dtype, []).append(i)
        for own in by_dtype.values():
            x, d, first, second = (joined(a, own) for a in (p, g, m, v))
            first = (b1 * first + (1 - b1) * d).astype(first.dtype)
            second = (b2 * second + weights_of(d, b2)).astype(second.dtype)
            root = jnp.sqrt(second / left(b2, count, second) + eps_root) + eps
            change = -rate * ((first / left(b1, count, first)) / root + decay * x)
            begin = 0
            for i in own:
                part, shape = slice(begin, begin + p[i].size), p[i].shape
                made[0][i] = change[part].reshape(shape).astype(p[i].dtype)
                made[1][i], made[2][i] = first[part].reshape(shape), second[part].reshape(shape)
                begin += p[i].size
        changes, mu, nu = (jax.tree.unflatten(tree, leaves) for leaves in made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.nadamw")
def ThirtySixthRightJaxLookAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """NAdamW of optax as one map over the leaves, which gives three things of each, with interpolations."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def one(p: X, g: X, m: X, v: X) -> tuple[X, X, X]:
            m = (m + (1 - b1) * (g - m)).astype(m.dtype)
            v = (v + (weights_of(g, b2) - (1 - b2) * v)).astype(v.dtype)
            now, after, c2 = left(b1, count, m), left(b1, count + 1, m), left(b2, count, v)
            ahead = (b1 / after) * m + ((1 - b1) / now) * g
            root = jnp.sqrt(v / c2 + eps_root) + eps
            return (-rate * (ahead / root) - (rate * decay) * p).astype(p.dtype), m, v

        triples = jax.tree.map(one, params, grads, state.mu, state.nu)
        changes, mu, nu = (jax.tree.map(lambda _, triple, k=k: triple[k], params, triples) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
