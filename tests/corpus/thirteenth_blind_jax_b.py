"""Blind, thirteenth set: optax' transformations, after the bugs of others in handling, and a right one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, transformation
from register import right, wrong

COMPILED: dict[tuple[float, float], Any] = {}  #: the steps that are compiled, by their betas
PATIENCE = 1  #: how many steps are left out before one is made all the same


class CountedInPython(Formula):
    """Adam whose clock is an attribute, of which a compiled program has what it was in its making."""

    current_step = 0

    def left(self, b: float, t: X) -> X:
        return super().left(b, jnp.asarray(self.current_step, jnp.int32))


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="bayesflow-org/bayesflow#223: `self.current_step += 1` is not tracked once the step is compiled",
    claim="optax.adam",
)
def ThirteenthJaxCountedInPython(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The clock of the corrections ticks when a step is compiled, and stands still when it is made again."""
    f = CountedInPython(learning_rate, b1, b2, eps, eps_root, 0.0)
    inner = transformation(f)

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        f.current_step += 1
        changes, new = inner.update(grads, state, params)
        return changes, Moments(*new)

    return optax.GradientTransformation(inner.init, jax.jit(update))


@wrong(
    "isolation",
    "STATE.3",
    like="markean/aimz#271: a jitted update is kept, with static arguments frozen from the first call",
    claim="optax.adamw",
)
def ThirteenthJaxCompiledForFirst(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A compiled step is kept by its betas: later optimizers have the other settings of the first one."""
    own = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))
    if not all(isinstance(x, float) for x in (learning_rate, b1, b2, eps, eps_root, weight_decay)):
        return own
    update = COMPILED.setdefault((b1, b2), jax.jit(own.update))
    return optax.GradientTransformation(own.init, update)


@wrong(
    "loss_scale",
    "SCALE.2",
    like="google-deepmind/optax#1746: notfinite_count is that of all bad steps so far, not of those in a row",
    claim="optax.nadamw",
)
def ThirteenthJaxBadInAll(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A step with numbers that are not finite is left out once; another one is made, however much later."""
    inner = transformation(Ahead(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def init(params: Tree) -> optax.ApplyIfFiniteState:
        none = jnp.zeros((), jnp.int32)
        return optax.ApplyIfFiniteState(none, jnp.asarray(True), none, inner.init(params))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ApplyIfFiniteState]:
        leaves = jax.tree.leaves(grads)
        finite = jnp.all(jnp.asarray([jnp.all(jnp.isfinite(g)) for g in leaves] or [True]))
        bad = jnp.where(finite, 0, 1)
        count, total = state.notfinite_count + bad, state.total_notfinite + bad
        made = finite | (count > PATIENCE)
        changes, new = inner.update(grads, state.inner_state, params)
        changes = jax.tree.map(lambda c: jnp.where(made, c, jnp.zeros_like(c)), changes)
        kept = jax.tree.map(lambda a, b: jnp.where(made, a, b), new, state.inner_state)
        return changes, optax.ApplyIfFiniteState(count, finite, total, kept)

    return optax.GradientTransformation(init, update)


class Greatest(Formula):
    """optax' AMSGrad: the greatest of the corrected second moments."""

    def highest(self, top: X, v: X, t: X) -> X:
        return jnp.maximum(top, v / self.left(self.b2, t).astype(v.dtype))

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(top + self.eps_root) + self.eps


@right(claim="optax.amsgrad")
def ThirteenthRightJaxAlikeTogether(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad that stacks all leaves of one shape and dtype, steps them at once, and takes them apart."""
    f = Greatest(learning_rate, b1, b2, eps, eps_root, 0.0)

    def stepped(t: X, g: X, m: X, v: X, top: X) -> tuple[X, X, X, X]:
        m, v = f.first(m, g), f.second(v, g)
        top = f.highest(top, v, t)
        change = -learning_rate * (f.numerator(m, g, t) / f.denominator(v, top, t))
        return change.astype(g.dtype), m, v, top

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        t = state.count + 1
        form: Any = jax.tree.structure(grads)
        rows = [form.flatten_up_to(tree) for tree in (grads, *state[1:])]
        alike: dict[Any, list[int]] = {}
        for i, g in enumerate(rows[0]):
            alike.setdefault((g.shape, g.dtype), []).append(i)
        made: dict[int, tuple[X, ...]] = {}
        for places in alike.values():
            together = stepped(t, *(jnp.stack([row[i] for i in places]) for row in rows))
            made.update((i, tuple(x[k] for x in together)) for k, i in enumerate(places))
        changes, *moments = (form.unflatten([made[i][k] for i in range(len(made))]) for k in range(4))
        return changes, Moments(t, *moments)

    return optax.GradientTransformation(transformation(f).init, update)
