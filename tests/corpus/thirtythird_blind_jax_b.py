"""Blind, thirty-third set, second half: reports of schedules as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "schedule moments",
    "LR.1",
    like="hiyouga/ChatGLM-Efficient-Tuning#299: an inner zero_grad, and an inner step of the scheduler",
    claim="optax.adamw",
)
def ThirtyThirdBJaxInnerLoop(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Of four micro-batches only the last one's quarter is left, and each of them ticks the schedule."""
    window = 4
    inner = stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count * window + window - 1), lambda count: at(weight_decay, count),
    )  # fmt: skip

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        changes, new = inner.update(jax.tree.map(lambda g: g / window, grads), state, params)
        return changes, new

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="allenai/longformer#37: a schedule is as long as there are updates, and ticks for each micro-batch",
    claim="optax.adam",
)
def ThirtyThirdBJaxClockOfMicroBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """An update takes the schedule on by its 32 micro-batches: the rate is soon what it is at the end."""
    grad_accum = 32
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count * grad_accum))


@wrong(
    "schedule",
    "LR.1",
    like="sooftware/kospeech#8: the logic of the schedule of several steps is not right",
    claim="optax.adamw",
)
def ThirtyThirdBJaxStageChosenBefore(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The stage of the schedule is chosen before its step is counted: each rate comes an update late."""
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, jnp.maximum(count - 1, 0)), lambda count: at(weight_decay, count),
    )  # fmt: skip


@right(claim="optax.adamw")
def ThirtyThirdBRightJaxTransposed(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW that calls one function for each leaf, and turns the list of triples into three trees."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def one(g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
            m = (m + (1 - b1) * (g - m)).astype(m.dtype)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            u = (m / left(b1, count, m)) / below
            return (-rate * (u + decay * p)).astype(p.dtype), m, v

        trees = (jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu, params))
        triples = [one(*leaves) for leaves in zip(*trees, strict=True)]
        outer = jax.tree.structure(params)
        changes, mu, nu = (jax.tree.unflatten(outer, [row[k] for row in triples]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
