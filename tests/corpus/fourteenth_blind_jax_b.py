"""Blind, fourteenth set: optax' transformations, after the bugs of others in handling, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, transformation
from register import right, wrong


@wrong(
    "aliasing",
    "STATE.2",
    like="p-doom/jasmine#168: the step is jitted so that the optimizer's buffers are donated to it",
    claim="optax.adam",
)
def FourteenthJaxStateDonated(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The compiled update is given the state's memory: who kept the state of before has deleted arrays."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, 0.0)

    def init(params: Tree) -> optax.ScaleByAdamState:
        m, v = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), m, jax.tree.map(jnp.real, v))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        t = state.count + 1
        mu = jax.tree.map(f.first, state.mu, grads)
        nu = jax.tree.map(f.second, state.nu, grads)

        def change(g: X, m: X, v: X) -> X:
            return (-f.lr * (f.numerator(m, g, t) / f.denominator(v, v, t))).astype(g.dtype)

        return jax.tree.map(change, grads, mu, nu), optax.ScaleByAdamState(t, mu, nu)

    return optax.GradientTransformation(init, jax.jit(update, donate_argnums=(1,)))


@wrong(
    "decay schedule",
    "LR.5",
    like="clab/dynet#1093: weight decay is set once, and cannot be changed during the whole runtime",
    claim="optax.adamw",
)
def FourteenthJaxDecayOfStart(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """Of a schedule of weight decay every step has the value that it begins with."""
    constant = weight_decay(0) if callable(weight_decay) else weight_decay
    return optax.chain(
        optax.scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root),
        optax.add_decayed_weights(constant),
        optax.scale_by_learning_rate(learning_rate),
    )


@wrong(
    "isolation",
    "STATE.3",
    like="chaobrain/brainstate#207: what the first trace has baked in is hit again after shapes have changed",
    claim="optax.nadam",
)
def FourteenthJaxFormOfLast(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Changes are put together in the tree of the parameters for which a state was made last."""
    inner = transformation(Ahead(learning_rate, b1, b2, eps, eps_root, 0.0))
    forms: list[Any] = []

    def init(params: Tree) -> Moments:
        forms[:] = [jax.tree.structure(params)]
        state: Moments = inner.init(params)
        return state

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        changes, new = inner.update(grads, state, params)
        leaves = jax.tree.leaves(changes)
        return (forms[0].unflatten(leaves) if forms else changes), Moments(*new)

    return optax.GradientTransformation(init, update)


@right(claim="optax.adam")
def FourteenthRightJaxByPath(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam whose state is a dictionary, of a count and of moments that are found by a leaf's path."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, 0.0)

    def by_path(tree: Tree) -> dict[str, X]:
        return {jax.tree_util.keystr(path): x for path, x in jax.tree_util.tree_leaves_with_path(tree)}

    def init(params: Tree) -> dict[str, Any]:
        leaves = by_path(params)
        mu = {name: jnp.zeros_like(p) for name, p in leaves.items()}
        nu = {name: jnp.zeros_like(p.real) for name, p in leaves.items()}
        return {"count": jnp.zeros((), jnp.int32), "mu": mu, "nu": nu}

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, dict[str, Any]]:
        t, leaves = state["count"] + 1, by_path(grads)
        mu = {name: f.first(state["mu"][name], g) for name, g in leaves.items()}
        nu = {name: f.second(state["nu"][name], g) for name, g in leaves.items()}
        made = {
            name: (-f.lr * (f.numerator(mu[name], g, t) / f.denominator(nu[name], nu[name], t))).astype(
                g.dtype
            )
            for name, g in leaves.items()
        }
        changes = jax.tree.unflatten(jax.tree.structure(grads), list(made.values()))
        return changes, {"count": t, "mu": mu, "nu": nu}

    return optax.GradientTransformation(init, update)
