"""Blind, twenty-fifth set: two reports as optax' transformations, and two right ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Tree, X, at, begun
from register import right, wrong
from twentieth_blind_frame_jax import left, weights_of


def stepped(
    state: Any, grads: Tree, b1: float, b2: float, eps: float, eps_root: float
) -> tuple[Tree, optax.ScaleByAdamState]:
    """Return the directions of Adam and the new state."""
    count = optax.safe_increment(state.count)
    mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, grads)
    nu = jax.tree.map(lambda v, g: b2 * v + weights_of(g, b2), state.nu, grads)

    def direction(m: X, v: X) -> X:
        root = jnp.sqrt(v / left(b2, count, v) + eps_root)
        return (m / left(b1, count, m) / (root + eps)).astype(m.dtype)

    return jax.tree.map(direction, mu, nu), optax.ScaleByAdamState(count, mu, nu)


class Wrapped:
    """A leaf of a module that is not filtered, which is no array."""

    def __init__(self, value: X) -> None:
        self.value = value


@wrong(
    "decay",
    "DEC.2",
    like="patrick-kidger/equinox#941: the module goes to the update unfiltered, and decay fails silently",
    claim="optax.adamw",
)
def TwentyFifthJaxModuleUnfiltered(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The leaves that an update gets as parameters are no arrays, and are left out where weights decay."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        module = jax.tree.map(Wrapped, params)
        directions, new = stepped(state, grads, b1, b2, eps, eps_root)

        def change(u: X, leaf: Any) -> X:
            decayed = u + decay * leaf if isinstance(leaf, jax.Array) else u
            return (-rate * decayed).astype(u.dtype)

        return jax.tree.map(change, directions, module), new

    return optax.GradientTransformation(begun, update)


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="metaopt/torchopt#232: what a mask of the decay leaves out are placeholders in the update",
    claim="optax.adamw",
)
def TwentyFifthJaxPlaceholdersStay(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A mask leaves out what has a decay of 0, for which an update has placeholders: its step fails."""
    mask = not (isinstance(weight_decay, int | float) and weight_decay == 0)

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        directions, new = stepped(state, grads, b1, b2, eps, eps_root)
        masks = jax.tree.map(lambda _: mask, directions)
        masked = jax.tree.map(lambda keep, u: u if keep else optax.MaskedNode(), masks, directions)

        def change(u: Any, p: X) -> Any:
            return u if isinstance(u, optax.MaskedNode) else (-rate * (u + decay * p)).astype(p.dtype)

        def hidden(x: Any) -> bool:
            return isinstance(x, optax.MaskedNode)

        return jax.tree.map(change, masked, params, is_leaf=hidden), new

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adamw")
def TwentyFifthRightJaxMaskedPass(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as a chain of its own; what a mask of the decay leaves out, a decay of 0, goes on undecayed."""
    masked = isinstance(weight_decay, int | float) and weight_decay == 0

    def adam(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        return stepped(state, grads, b1, b2, eps, eps_root)

    def decayed(updates: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByScheduleState]:
        rate, decay = at(learning_rate, state.count), at(weight_decay, state.count)
        new = optax.ScaleByScheduleState(optax.safe_increment(state.count))

        def change(u: X, p: X) -> X:
            return (-rate * (u if masked else u + decay * p)).astype(p.dtype)

        return jax.tree.map(change, updates, params), new

    def counted(params: Tree) -> optax.ScaleByScheduleState:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    return optax.chain(
        optax.GradientTransformation(begun, adam), optax.GradientTransformation(counted, decayed)
    )


@right(claim="optax.adam")
def TwentyFifthRightJaxOneRow(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam on one row for each dtype, in which all leaves of it lie one behind the other."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        rate, count = at(learning_rate, state.count), optax.safe_increment(state.count)
        structure: Any = jax.tree.structure(grads)
        if structure != jax.tree.structure(state.mu):
            raise ValueError("gradients are not those of the parameters")
        leaves = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu)]
        made: list[list[X]] = [[None] * len(leaves[0]) for _ in range(3)]
        for dtype in dict.fromkeys(g.dtype for g in leaves[0]):
            mine = [i for i, g in enumerate(leaves[0]) if g.dtype == dtype]
            g, m, v = (jnp.concatenate([many[i].reshape(-1) for i in mine]) for many in leaves)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + weights_of(g, b2)
            below = jnp.sqrt(v / left(b2, count, v) + eps_root) + eps
            change = -rate * (m / left(b1, count, m) / below)
            begin = 0
            for i in mine:
                place = slice(begin, begin + leaves[0][i].size)
                begin = place.stop
                for k, row in enumerate((change, m, v)):
                    old = leaves[k][i]
                    made[k][i] = row[place].reshape(old.shape).astype(old.dtype)
        changes, mu, nu = (jax.tree.unflatten(structure, many) for many in made)
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)
