"""Blind, twenty-fifth set: reports of masks and schedules as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of


class Variable:
    """What a module has in the place of an array, which is its value."""

    def __init__(self, value: X) -> None:
        self.value = value


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="jax-ml/jax#31256: a mask for adamw's decay, made of a model's parameters, does not work in nnx",
    claim="optax.adamw",
)
def TwentyFifthBJaxMaskOfVariables(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A mask chooses matrices by the axes of variables, which have none themselves: no array decays."""

    def matrices(params: Tree) -> Tree:
        model = jax.tree.map(Variable, params)
        return jax.tree.map(lambda x: getattr(x, "ndim", 0) > 1, model)

    return optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay, mask=matrices)


@wrong(
    "schedule",
    "LR.1",
    like="nodefluxio/vortex#58: a scheduler is stepped for each batch, also where it is meant for epochs",
    claim="optax.adam",
)
def TwentyFifthBJaxSchedulerOfBatches(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Each of the eight batches of an epoch advances a schedule of epochs: it goes on eight times as fast."""
    batches = 8
    return stepped(b1, b2, eps, eps_root, lambda count: at(learning_rate, count * batches))


@wrong(
    "schedule",
    "LR.1",
    like="ace-step/ACE-Step#198: a scheduler's interval is an epoch, so that a warmup takes 4000 epochs",
    claim="optax.adamw",
)
def TwentyFifthBJaxIntervalIsEpoch(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A schedule of rates advances once in an epoch of 100 updates, and not with each update."""
    updates_per_epoch = 100
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count // updates_per_epoch),
        lambda count: at(weight_decay, count),
    )


class Stacked(NamedTuple):
    """A count, and for each leaf its moments in one array: both parts of m, and v, or m and v."""

    count: X
    moments: Tree


def parts(x: X) -> list[X]:
    return [x.real, x.imag] if jnp.iscomplexobj(x) else [x]


@right(claim="optax.adamw")
def TwentyFifthBRightJaxStacked(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW that has the moments of a leaf in one array, and averages them together by an array of betas."""

    def init(params: Tree) -> Stacked:
        def zeros(p: X) -> X:
            return jnp.zeros((len(parts(p)) + 1, *p.shape), p.real.dtype)

        return Stacked(jnp.zeros((), jnp.int32), jax.tree.map(zeros, params))

    def averaged(x: X, g: X) -> X:
        own = parts(g)
        betas = jnp.asarray([b1] * len(own) + [b2], x.dtype).reshape(-1, *[1] * g.ndim)
        return betas * x + jnp.stack([*((1 - b1) * part for part in own), weights_of(g, b2)])

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Stacked]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        moments = jax.tree.map(averaged, state.moments, grads)

        def change(x: X, p: X) -> X:
            v = x[-1]
            m = jax.lax.complex(x[0], x[1]) if jnp.iscomplexobj(p) else x[0]
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            return (-rate * (decay * p + m / below / left(b1, count, m))).astype(p.dtype)

        return jax.tree.map(change, moments, params), Stacked(count, moments)

    return optax.GradientTransformation(init, update)
