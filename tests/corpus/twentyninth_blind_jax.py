"""Blind, twenty-ninth set: four reports of schedules as optax' transformations, and right ones."""

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
    like="anthonytorlucci/rlevo#324: the annealed rate is read behind the increment, 0 in the last phase",
    claim="optax.adam",
)
def TwentyNinthJaxRateOfNextIteration(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The counter of iterations is raised, and then the schedule of rates is called: it is one ahead."""

    def rate(count: X) -> X:
        iteration = count + 1
        return at(learning_rate, iteration)

    return stepped(b1, b2, eps, eps_root, rate)


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/transformers#34754: a warmup has a factor of 0 at step 0, and the first step is lost",
    claim="optax.adamw",
)
def TwentyNinthJaxFirstStepLost(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The rate has a warmup of one step, which begins at 0: the first step moves nothing."""
    warmup_steps = 1

    def rate(count: X) -> X:
        lr = jnp.asarray(at(learning_rate, count), jnp.result_type(float))
        return lr * jnp.minimum(jnp.asarray(count, lr.dtype) / warmup_steps, 1)

    return stepped(b1, b2, eps, eps_root, rate, lambda count: at(weight_decay, count))


@wrong(
    "schedule decay",
    "LR.5",
    like="cofe-ai/MSG#3: under accumulation two counts of steps advance at different rates",
    claim="optax.adamw",
)
def TwentyNinthJaxCountsDrift(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates sees completed steps, one of decays sees batches, of which a step has four."""
    accumulation = 4
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count * accumulation),
    )


@wrong(
    "schedule",
    "LR.1",
    like="paiml/entrenar#123: each sequence is an update, and accumulation is but a stride of the counter",
    claim="optax.adam",
)
def TwentyNinthJaxStrideOfCounter(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Every call is an update, but the counter of a schedule goes on in every fourth of them alone."""
    accumulation = 4
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count // accumulation))


@right(claim="optax.adamw")
def TwentyNinthRightJaxFolded(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW with corrections in the rate, and with epsilons that are multiplied by them instead."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        mu = jax.tree.map(lambda m, g: (b1 * m + (1 - b1) * g).astype(m.dtype), state.mu, grads)
        nu = jax.tree.map(lambda v, g: (b2 * v + weights_of(g, b2)).astype(v.dtype), state.nu, grads)

        def change(m: X, v: X, p: X) -> X:
            c1, c2 = left(b1, count, m), left(b2, count, v)
            below = jnp.sqrt(v + eps_root * c2) + eps * jnp.sqrt(c2)
            return -((rate * jnp.sqrt(c2) / c1) * (m / below) + rate * decay * p).astype(p.dtype)

        return jax.tree.map(change, mu, nu, params), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def TwentyNinthRightJaxRavelled(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam over one row for each dtype: leaves are joined, stepped together, and cut apart again."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, rate = optax.safe_increment(state.count), at(learning_rate, state.count)
        leaves, tree = jax.tree.flatten(grads)
        rows = [jax.tree.leaves(x) for x in (state.mu, state.nu)]
        made: list[Any] = [None] * len(leaves)
        for kind in dict.fromkeys((g.dtype, v.dtype) for g, v in zip(leaves, rows[1], strict=True)):
            own = [i for i, g in enumerate(leaves) if (g.dtype, rows[1][i].dtype) == kind]
            g, m, v = (jnp.concatenate([x[i].reshape(-1) for i in own]) for x in (leaves, *rows))
            m = (m + (1 - b1) * (g - m)).astype(m.dtype)
            v = (b2 * v + weights_of(g, b2)).astype(v.dtype)
            c1, c2 = left(b1, count, m), left(b2, count, v)
            step = -rate * (m / (jnp.sqrt(v + eps_root * c2) / jnp.sqrt(c2) + eps) / c1)
            begin = 0
            for i in own:
                part, shape = slice(begin, begin + leaves[i].size), leaves[i].shape
                begin += leaves[i].size
                made[i] = tuple(x[part].reshape(shape).astype(x.dtype) for x in (step.astype(m.dtype), m, v))
        steps, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return steps, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
