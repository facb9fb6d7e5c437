"""Blind, eleventh set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, adam, row, transformation
from ninth_blind_jax import norm
from register import right, wrong


@row(
    "bias_correction clock",
    "BC.1",
    "optax.adam",
    "google/evojax#25: adam gets the step divided by lr_decay_steps, a thousand",
)
class EleventhJaxThousandStepsAreOne(Formula):
    """The corrections go on once in a thousand steps."""

    def left(self, b: float, t: X) -> X:
        return super().left(b, 1 + (t - 1) // 1000)


@row(
    "nesterov bias_correction",
    "NES.2",
    "optax.nadam",
    "google-deepmind/optax#719: an extra factor of b2 is on the second moment",
)
class EleventhJaxSecondTimesBeta(Ahead):
    """The corrected second moment is multiplied by b2."""

    def denominator(self, v: X, top: X, t: X) -> X:
        return super().denominator(self.b2 * v, top, t)


@wrong(
    "clipping",
    "CLIP.2",
    like="deepspeedai/DeepSpeed#8475: norms of ranks that own other parameters are averaged",
    claim="optax.adamw",
)
def EleventhJaxNormsAveraged(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """All gradients are scaled down to 1 by the mean of the norms of two halves of the tree."""
    plain = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        leaves, tree = jax.tree.flatten(grads)
        ranks = leaves[: len(leaves) // 2], leaves[len(leaves) // 2 :]
        total = sum(norm(list(rank)) for rank in ranks) / len(ranks)
        scale = 1 / jnp.maximum(total, 1)
        clipped = [g * scale.astype(g.real.dtype) for g in leaves]
        return plain.update(jax.tree.unflatten(tree, clipped), state, params)

    return optax.GradientTransformation(plain.init, update)


class Both(NamedTuple):
    """A state of one leaf for each parameter, whose first axis has both moments."""

    t: X
    both: Tree


@right(claim="optax.adam")
def EleventhRightJaxStacked(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam whose moments are one array for each parameter, twice as long."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, 0.0)

    def init(params: Tree) -> Both:
        zeros = jax.tree.map(lambda p: jnp.zeros((2, *p.shape), p.dtype), params)
        return Both(jnp.zeros((), jnp.int32), zeros)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Both]:
        t = state.t + 1
        learned = jax.tree.map(
            lambda g, both: jnp.stack([f.first(both[0], g), f.second(both[1].real, g).astype(g.dtype)]),
            grads,
            state.both,
        )

        def change(both: X) -> X:
            v = both[1].real
            quotient = f.numerator(both[0], both[0], t) / f.denominator(v, v, t)
            return (-learning_rate * quotient).astype(both.dtype)

        return jax.tree.map(change, learned), Both(t, learned)

    return optax.GradientTransformation(init, update)


@right(claim="optax.amsgrad")
@adam
class EleventhRightJaxChosenMaximum(Formula):
    """AMSGrad whose maximum is chosen by a comparison, with a reciprocal for the division."""

    def highest(self, top: X, v: X, t: X) -> X:
        corrected = v / self.left(self.b2, t).astype(v.dtype)
        return jnp.where(top >= corrected, top, corrected)

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(top + self.eps_root) + self.eps

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * u
