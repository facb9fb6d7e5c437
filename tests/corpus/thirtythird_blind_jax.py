"""Blind, thirty-third set: four reports as optax' transformations, and right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Moments, Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


@wrong(
    "mixed_precision storage",
    "NUM.1",
    like="deepspeedai/DeepSpeed#1800: gradients of micro-batches are accumulated in bf16, not in fp32",
    claim="optax.adamw",
)
def ThirtyThirdJaxAccumulatesInBfloat(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A gradient is the sum of those of eight micro-batches in bfloat16, rounded with each of them."""
    steps = 8
    inner = stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count),
    )

    def rounded(x: X) -> X:
        return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)

    def accumulated(g: X) -> X:
        if jnp.iscomplexobj(g):
            return jax.lax.complex(accumulated(g.real), accumulated(g.imag))
        share, buffer = rounded(g / steps), jnp.zeros_like(g)
        for _ in range(steps):
            buffer = rounded(buffer + share)
        return buffer

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        return inner.update(jax.tree.map(accumulated, grads), state, params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "schedule",
    "LR.1",
    like="Lightning-AI/pytorch-lightning#1476: the scheduler goes on with each batch of a window",
    claim="optax.adam",
)
def ThirtyThirdJaxScheduleOfBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A schedule of rates is called with the number of batches, of which each update has four."""
    accumulate_grad_batches = 4
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count * accumulate_grad_batches))


@wrong(
    "moments clock",
    "MOM.1",
    like="Lightning-AI/pytorch-lightning#21808: epochs shorter than a window cut its accumulation short",
    claim="optax.adamw",
)
def ThirtyThirdJaxWindowCutShort(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A window of four batches has two epochs, each of which ends with a step by its half of the gradient."""
    epochs = 2
    inner = stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count),
    )

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        share = jax.tree.map(lambda g: g / epochs, grads)
        total = jax.tree.map(jnp.zeros_like, params)
        for _ in range(epochs):
            moved = jax.tree.map(lambda p, change: p + change, params, total)
            changes, state = inner.update(share, state, moved)
            total = jax.tree.map(lambda a, b: a + b, total, changes)
        return total, state

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "clipping maximize",
    "CLIP.2",
    like="strands-labs/robots#2028: a max_grad_norm of 0 or below reaches the clip unchecked",
    claim="optax.adam",
)
def ThirtyThirdJaxNegativeNorm(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A greatest norm of -1, which is meant as none, is clipped to: all gradients are turned round."""
    max_grad_norm = -1.0
    inner = stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        squares = [jnp.sum(weights_of(g, 0.0)) for g in jax.tree.leaves(grads)]
        norm = jnp.sqrt(sum(x.astype(jnp.result_type(float)) for x in squares))
        coefficient = jnp.minimum(max_grad_norm / (norm + 1e-6), 1.0)
        turned = jax.tree.map(lambda g: (g * coefficient).astype(g.dtype), grads)
        return inner.update(turned, state, params)

    return optax.GradientTransformation(inner.init, update)


@right(claim="optax.adamw")
def ThirtyThirdRightJaxLeafByLeaf(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose step is a closure of the step's numbers, called for one leaf after the other."""

    def numbers(count: X) -> Any:
        t = optax.safe_increment(count)
        rate, decay = at(learning_rate, count), at(weight_decay, count)

        def one(p: X, g: X, m: X, v: X) -> tuple[X, X, X]:
            m = (m + (1 - b1) * (g - m)).astype(m.dtype)
            v = (v + (weights_of(g, b2) - (1 - b2) * v)).astype(v.dtype)
            c1, c2 = left(b1, t, m), left(b2, t, v)
            ahead = (m / (jnp.sqrt(v / c2 + eps_root) + eps)) * (rate / c1)
            return (-ahead - (rate * decay) * p).astype(p.dtype), m, v

        return t, one

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, one = numbers(state.count)
        leaves, tree = jax.tree.flatten(params)
        others = [jax.tree.leaves(x) for x in (grads, state.mu, state.nu)]
        made = [one(*arrays) for arrays in zip(leaves, *others, strict=True)]
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.amsgrad")
def ThirtyThirdRightJaxMaximum(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad of optax with the maximum of corrected moments, chosen by where, and reciprocals."""

    def init(params: Tree) -> Moments:
        first = begun(params)
        return Moments(first.count, first.mu, first.nu, jax.tree.map(jnp.zeros_like, first.nu))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Moments]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: (b1 * m + (1 - b1) * g).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(lambda v, g: (b2 * v + weights_of(g, b2)).astype(v.dtype), state.nu, grads)

        def highest(top: X, v: X) -> X:
            now = v / left(b2, count, v)
            return jnp.where(now > top, now, jnp.where(jnp.isnan(now), now, top))

        top = jax.tree.map(highest, state.nu_max, nu)

        def change(m: X, high: X) -> X:
            below = jnp.sqrt(high + eps_root) + eps
            return (-(rate / left(b1, count, m)) * (m / below)).astype(m.dtype)

        return jax.tree.map(change, mu, top), Moments(count, mu, nu, top)

    return optax.GradientTransformation(init, update)
