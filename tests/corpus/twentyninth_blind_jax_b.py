"""Blind, twenty-ninth set: reports of schedules and windows as optax' transformations, and a right one."""

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
    like="kingoflolz/mesh-transformer-jax#25: a fine-tune keeps the count that the schedule has from before",
    claim="optax.adamw",
)
def TwentyNinthBJaxCountOfPretraining(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The schedule goes on from the 3000 steps of a run before: its beginning is never seen."""
    pretrained = 3000
    return stepped(
        b1, b2, eps, eps_root,
        lambda count: at(learning_rate, count + pretrained), lambda count: at(weight_decay, count),
    )  # fmt: skip


@wrong(
    "moments",
    "STEP.1",
    like="jenkspt/gpt-jax#2: apply_every behind the optimizer, which takes each micro-gradient by itself",
    claim="optax.adamw",
)
def TwentyNinthBJaxEverySecond(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Each gradient is averaged and made a step by itself, and two steps are held back to be made at once."""
    adam = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)
    return optax.chain(adam, optax.apply_every(2))


@wrong(
    "schedule",
    "LR.1",
    like="microsoft/Swin-Transformer#185: windows are counted within an epoch, and the schedule over all",
    claim="optax.adam",
)
def TwentyNinthBJaxWindowsOfEpoch(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """An epoch of five batches has two updates of two, and the schedule counts the fifth batch as well."""
    num_steps, accumulation = 5, 2

    def rate(count: X) -> X:
        updates = num_steps // accumulation
        epoch, idx = count // updates, (count % updates + 1) * accumulation - 1
        return at(learning_rate, (epoch * num_steps + idx) // accumulation)

    return stepped(b1, b2, eps, eps_root, rate)


@wrong(
    "schedule",
    "LR.1",
    like="the-database/traiNNer-redux#274: warmup and scheduler both write the optimizer's rate",
    claim="optax.adamw",
)
def TwentyNinthBJaxWarmupOverSchedule(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """In the first four updates a warmup writes parts of the first rate over what the schedule says."""
    warmup_iter = 4

    def rate(count: X) -> X:
        if not callable(learning_rate):
            return learning_rate
        warm = learning_rate(jnp.zeros_like(count)) * (count + 1) / warmup_iter
        return jnp.where(count < warmup_iter, warm, learning_rate(count))

    return stepped(b1, b2, eps, eps_root, rate, lambda count: at(weight_decay, count))


@wrong(
    "schedule",
    "LR.1",
    like="huggingface/accelerate#499: the wrapped scheduler is stepped for each micro-batch of a window",
    claim="optax.adam",
)
def TwentyNinthBJaxScheduleOfMicroBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The schedule ticks for each of four micro-batches; the update comes with the fourth."""
    window = 4
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count * window + window - 1))


@right(claim="optax.adamw")
def TwentyNinthBRightJaxJoined(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW that joins all leaves of a dtype in one row, steps the row, and cuts it up again."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        structure = jax.tree.structure(params)
        columns = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu, params)]
        made: list[list[X]] = [[None] * len(columns[0]) for _ in range(3)]
        for dtype in dict.fromkeys(jnp.result_type(p) for p in columns[3]):
            places = [i for i, p in enumerate(columns[3]) if jnp.result_type(p) == dtype]
            g, m, v, p = (jnp.concatenate([jnp.ravel(c[i]) for i in places]) for c in columns)
            m, v = b1 * m + (1 - b1) * g, v + (weights_of(g, b2) - (1 - b2) * v)
            u = m / left(b1, count, m) / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps)
            begin = 0
            for i in places:
                end = begin + columns[3][i].size
                for k, row in enumerate((-rate * (u + decay * p), m, v)):
                    like = columns[(3, 1, 2)[k]][i]
                    made[k][i] = row[begin:end].reshape(like.shape).astype(like.dtype)
                begin = end
        changes, mu, nu = (jax.tree.unflatten(structure, leaves) for leaves in made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
