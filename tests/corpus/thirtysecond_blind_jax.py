"""Blind, thirty-second set: five reports as optax' transformations, and right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, stepped, weights_of

Correction = Callable[[X, X, X], X]  #: of a beta, a clock and an array whose dtype it has


def corrected_by(
    first: Correction, second: Correction, learning_rate: X, b1: X, b2: X, eps: X, eps_root: X
) -> optax.GradientTransformation:
    """Return Adam whose moments are divided by these corrections."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, lr = optax.safe_increment(state.count), at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X) -> X:
            below = jnp.sqrt(v / second(b2, count, v) + eps_root) + eps
            return (-lr * (m / first(b1, count, m) / below)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "nonfinite epsilon",
    "EPS.7",
    like="google-deepmind/jax_privacy#397: 1/(sqrt(v)+eps) at v=0 is infinite, and NaN poisons the clipping",
    claim="optax.adam",
)
def ThirtySecondJaxPreconditionerPoisons(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Moments times a preconditioner, infinite at v=0 without epsilon, are cut by a norm: all are NaN."""
    clip_norm = 1e6

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count, lr = optax.safe_increment(state.count), at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def preconditioned(m: X, v: X) -> X:
            return m / left(b1, count, m) * (1 / (jnp.sqrt(v / left(b2, count, v) + eps_root) + eps))

        steps = jax.tree.map(preconditioned, mu, nu)
        wide = jnp.result_type(float)
        squares = [jnp.sum(jnp.square(jnp.abs(u).astype(wide))) for u in jax.tree.leaves(steps)]
        norm = jnp.sqrt(sum(squares, jnp.zeros((), wide)))
        share = jnp.minimum(1, clip_norm / norm)
        made = jax.tree.map(lambda u: (-lr * (u * share.astype(u.real.dtype))).astype(u.dtype), steps)
        return made, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@wrong(
    "schedule",
    "LR.1",
    like="CodefyUI/CodefyUI#297: a schedule made for a run's optimizer steps goes on once in an epoch",
    claim="optax.adamw",
)
def ThirtySecondJaxScheduleByEpochs(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The schedule of rates is called with the number of the epoch, of fifty steps, and hardly ever moves."""
    steps_per_epoch = 50
    return stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count // steps_per_epoch),
        lambda count: at(weight_decay, count),
    )


@wrong(
    "moments nonfinite",
    "MOM.1",
    like="AI-Hypercomputer/torchprime#36: on XLA states are not finite after two steps, the third loss NaN",
    claim="optax.adamw",
)
def ThirtySecondJaxStatesOfDonatedBuffers(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The second update reads both moments from buffers that the first one has given away: they are NaN."""
    inner = stepped(
        b1,
        b2,
        eps,
        eps_root,
        lambda count: at(learning_rate, count),
        lambda count: at(weight_decay, count),
    )

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Any]:
        def read(x: X) -> X:
            return jnp.where(state.count == 1, jnp.full_like(x, jnp.nan), x)

        mu, nu = (jax.tree.map(read, x) for x in (state.mu, state.nu))
        return inner.update(grads, optax.ScaleByAdamState(state.count, mu, nu), params)

    return optax.GradientTransformation(inner.init, update)


@wrong(
    "bias_correction",
    "BC.1",
    like="ml-explore/mlx#1542: MLX' Adam trains worse than torch's and Keras', it corrects no moment",
    claim="optax.adam",
)
def ThirtySecondJaxNothingCorrected(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Neither moment is corrected."""

    def whole(b: X, count: X, like: X) -> X:
        return jnp.ones((), like.real.dtype)

    return corrected_by(whole, whole, learning_rate, b1, b2, eps, eps_root)


@wrong(
    "bias_correction",
    "BC.1",
    like="jax-ml/jax#2517: optix.adam with the integer b1=0 has updates of NaN, by a cast in the correction",
    claim="optax.adam",
)
def ThirtySecondJaxIntegerBeta(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """A first beta that is a whole number, 0, is cast to an integer, whose power is NaN in the correction."""

    def cast(b: X, count: X, like: X) -> X:
        wide = jnp.asarray(b, jnp.result_type(float))
        whole = wide.astype(jnp.int32)
        power = whole ** (count + 1) / whole
        return (1 - jnp.where(whole == wide, power, wide**count)).astype(like.real.dtype)

    return corrected_by(cast, left, learning_rate, b1, b2, eps, eps_root)


@right(claim="optax.adamw")
def ThirtySecondRightJaxLeaves(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW over a list of leaves, each of which a closure steps; the decay is taken from what it returns."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = state.count + (state.count < jnp.iinfo(state.count.dtype).max).astype(state.count.dtype)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def one(p: X, g: X, m: X, v: X) -> tuple[X, X, X]:
            c1, c2 = left(b1, count, m), left(b2, count, v)
            first = (m * b1 + g * (1 - b1)).astype(m.dtype)
            second = (v * b2 + weights_of(g, b2)).astype(v.dtype)
            scaled = first * jax.lax.reciprocal(c1)
            below = jnp.sqrt(second / c2 + eps_root) + eps
            change = -(rate * (scaled / below)) - rate * (decay * p)
            return change.astype(p.dtype), first, second

        leaves, tree = jax.tree.flatten(params)
        others = (jax.tree.leaves(x) for x in (grads, state.mu, state.nu))
        made = [one(*arrays) for arrays in zip(leaves, *others, strict=True)]
        changes, mu, nu = (jax.tree.unflatten(tree, [row[k] for row in made]) for k in range(3))
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adam")
def ThirtySecondRightJaxHat(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam by a step size with both corrections, and with the epsilons that these make of its own two."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        size = at(learning_rate, state.count)
        mu = jax.tree.map(lambda m, g: (1 - b1) * g + b1 * m, state.mu, grads)
        nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

        def change(m: X, v: X) -> X:
            c1, c2 = left(b1, count, m), left(b2, count, v)
            root = jnp.sqrt(c2)
            below = jnp.sqrt(v + eps_root * c2) + eps * root
            return -((size * root / c1) * (m / below)).astype(m.dtype)

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
