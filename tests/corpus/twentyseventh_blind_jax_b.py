"""Blind, twenty-seventh set: two reports as optax' transformations, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, weights_of


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="google-deepmind/optax#440: epsilon is two numbers, both 1e-16, and to give one leaves the other",
    claim="optax.adamw",
)
def TwentySeventhBJaxEpsilonsOfTheirOwn(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Under the root and beside it stands 1e-16, and what is given as epsilon goes to neither."""
    return optax.adamw(learning_rate, b1, b2, 1e-16, 1e-16, weight_decay=weight_decay)


@wrong(
    "decay",
    "DEC.2",
    like="google-deepmind/optax#494: add_decayed_weights stands ahead of adamw, whose own decay is 0",
    claim="optax.adamw",
)
def TwentySeventhBJaxDecayAhead(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The decayed weights are added to the gradients, and go through the moments."""
    adam = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=0.0)
    return optax.chain(optax.add_decayed_weights(weight_decay), adam)


@right(claim="optax.adamw")
def TwentySeventhBRightJaxDecayBehind(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose leaves go through one function that returns a change and both moments at once."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)

        def one(g: X, m: X, v: X, p: X) -> tuple[X, X, X]:
            m, v = m + (1 - b1) * (g - m), b2 * v + weights_of(g, b2)
            u = (m / left(b1, count, m)) / ((v / left(b2, count, v) + eps_root) ** 0.5 + eps)
            return (-rate * u - (rate * decay) * p).astype(p.dtype), m, v

        leaves = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu, params)]
        done = [one(*four) for four in zip(*leaves, strict=True)]
        changes, mu, nu = (
            jax.tree.unflatten(jax.tree.structure(params), [three[k] for three in done]) for k in range(3)
        )
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
