"""Blind, twenty-first set: optax transformations after the bugs of others, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Formula, Tree, X, at, begun, counting_bad, row
from register import right, wrong


@row(
    "epsilon mixed_precision",
    "EPS.6",
    "optax.adam",
    "google-deepmind/optax#1769: in float16 an epsilon of 1e-8 is 0, so that a gradient of 0 gives NaN",
)
class TwentyFirstBJaxHalfDenominator(Formula):
    """Root and epsilon are of float16 when they are added up: a small epsilon is 0, and 0/0 is NaN."""

    def denominator(self, v: X, top: X, t: X) -> X:
        root = jnp.sqrt(v / self.left(self.b2, t).astype(v.dtype) + self.eps_root)
        return (root.astype(jnp.float16) + jnp.asarray(self.eps, jnp.float16)).astype(v.dtype)


@wrong(
    "loss_scale schedule",
    "SCALE.2",
    like="huggingface/accelerate#4242: an overflow skips the update, and the scheduler takes its step",
    claim="optax.adamw",
)
def TwentyFirstBJaxScheduleOfSkipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A step with an overflow is skipped, but for the count by which the schedule of rates is called."""
    inner = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        changes, new = inner.update(grads, state, params)
        changes = jax.tree.map(lambda c: jnp.where(finite, c, jnp.zeros_like(c)), changes)
        *held, scheduler = new
        held = jax.tree.map(lambda a, b: jnp.where(finite, a, b), tuple(held), tuple(state[:-1]))
        return changes, (*held, scheduler)

    return counting_bad(inner, step)


def left(b: float, t: X) -> X:
    """Return 1-b**t."""
    return 1 - jnp.asarray(b, jnp.result_type(float)) ** t


def weights_of(g: X, b2: float) -> X:
    """Return the weighed square of a gradient's modulus."""
    square = ((1 - b2) * g.real) * g.real
    return square + ((1 - b2) * g.imag) * g.imag if jnp.iscomplexobj(g) else square


class Stacked(NamedTuple):
    """A count, and both moments of each leaf, stacked where both are real."""

    count: X
    moments: Tree


@right(claim="optax.adam")
def TwentyFirstBRightJaxScanned(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam by a scan over the first axis of each leaf, with the coefficients as an array."""

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ScaleByAdamState]:
        count = optax.safe_increment(state.count)
        rate = jnp.asarray(at(learning_rate, state.count), jnp.result_type(float))

        def leaf(g: X, m: X, v: X) -> tuple[X, X, X]:
            factors = jnp.stack([rate / left(b1, count), left(b2, count)]).astype(v.dtype)

            def body(carry: X, x: tuple[X, X, X]) -> tuple[X, tuple[X, X, X]]:
                g, m, v = x
                m = b1 * m + (1 - b1) * g
                v = b2 * v + weights_of(g, b2)
                return carry, (-carry[0] * (m / (jnp.sqrt(v / carry[1] + eps_root) + eps)), m, v)

            return jax.lax.scan(body, factors, (g, m, v))[1]

        lists = [jax.tree.leaves(tree) for tree in (grads, state.mu, state.nu)]
        shapes = [g.shape for g in lists[0]]
        made = [leaf(*(jnp.atleast_1d(x) for x in xs)) for xs in zip(*lists, strict=True)]
        tree = jax.tree.structure(grads)
        changes, mu, nu = (
            jax.tree.unflatten(tree, [xs[k].reshape(s) for xs, s in zip(made, shapes, strict=True)])
            for k in range(3)
        )
        return changes, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


@right(claim="optax.adamw")
def TwentyFirstBRightJaxDictionary(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: X = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose state is a dictionary, and whose leaves are stepped by one compiled function."""

    @jax.jit
    def one(g: X, m: X, v: X, p: X, t: X, rate: X, decay: X) -> tuple[X, X, X]:
        m = m * b1 + (1 - b1) * g
        v = v * b2 + weights_of(g, b2)
        real = v.dtype
        below = jnp.sqrt(v / left(b2, t).astype(real) + eps_root) + eps
        moved = (rate / left(b1, t)).astype(real) * (m / below)
        return -(jnp.asarray(rate * decay).astype(real) * p) - moved, m, v

    def init(params: Tree) -> dict[str, Any]:
        state = begun(params)
        return {"nu": state.nu, "mu": state.mu, "count": state.count}

    def update(grads: Tree, state: dict[str, Any], params: Tree = None) -> tuple[Tree, dict[str, Any]]:
        t = optax.safe_increment(state["count"])
        rate, decay = at(learning_rate, state["count"]), at(weight_decay, state["count"])
        trees = (grads, state["mu"], state["nu"], params)
        made = [one(*xs, t, rate, decay) for xs in zip(*map(jax.tree.leaves, trees), strict=True)]
        tree = jax.tree.structure(grads)
        changes, mu, nu = (jax.tree.unflatten(tree, [xs[k] for xs in made]) for k in range(3))
        return changes, {"count": t, "mu": mu, "nu": nu}

    return optax.GradientTransformation(init, update)
