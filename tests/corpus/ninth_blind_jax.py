"""Blind, ninth set: optax' transformations, after the bugs of others in handling, and right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Moments, Tree, X, row, transformation
from register import right, wrong


class Highest(Formula):
    """AMSGrad as optax has it: the largest corrected second moment stands under the root."""

    def highest(self, top: X, v: X, t: X) -> X:
        return jnp.maximum(top, v / self.left(self.b2, t).astype(v.dtype))

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(top + self.eps_root) + self.eps


def around(
    formula: Formula, begun: Callable[[Moments, Tree], Moments], kept: Callable[[Moments], Moments]
) -> optax.GradientTransformation:
    """Return a formula's transformation, with a change to the state at the start and one behind each step."""
    plain = transformation(formula)

    def init(params: Tree) -> Moments:
        return begun(plain.init(params), params)

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        changes, new = plain.update(grads, state, params)
        return changes, kept(new)

    return optax.GradientTransformation(init, update)


@wrong(
    "complex", "CPX.2", like="google-deepmind/optax#287, #196: g**2 of a complex gradient", claim="optax.adam"
)
def NinthJaxComplexSquare(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """The second moment of a complex gradient is the average of its square, a complex number."""

    class Squared(Formula):
        def second(self, v: X, g: X) -> X:
            return self.b2 * v + ((1 - self.b2) * g) * g

    def begun(state: Moments, params: Tree) -> Moments:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return state._replace(nu=zeros, nu_max=zeros)

    return around(Squared(learning_rate, b1, b2, eps, eps_root, 0.0), begun, lambda new: new)


@wrong(
    "clipping",
    "CLIP.2",
    like="marin-community/marin#6160: clipped once per parameter group",
    claim="optax.adamw",
)
def NinthJaxGroupsClipped(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The gradients of matrices, and those of all other arrays, are scaled down to a norm of 1 each."""
    plain = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        leaves, tree = jax.tree.flatten(grads)
        matrices = norm([g for g in leaves if g.ndim > 1])
        others = norm([g for g in leaves if g.ndim <= 1])
        scales = [1 / jnp.maximum(matrices if g.ndim > 1 else others, 1) for g in leaves]
        clipped = [g * scale.astype(g.real.dtype) for g, scale in zip(leaves, scales, strict=True)]
        return plain.update(jax.tree.unflatten(tree, clipped), state, params)

    return optax.GradientTransformation(plain.init, update)


def norm(leaves: list[X]) -> X:
    return jnp.sqrt(sum((jnp.sum(jnp.abs(g) ** 2) for g in leaves), jnp.zeros(())))


@row("nonfinite", "NF.1", "optax.nadamw", "google-deepmind/optax#828: zero_nans() in front, in a chain")
class NinthJaxNanIsZero(Ahead):
    """A NaN in a gradient counts as 0."""

    def seen(self, g: X) -> X:
        return jnp.where(jnp.isnan(g), jnp.zeros_like(g), g)


@wrong(
    "mixed_precision", "MOM.4", like="p-doom/jasmine#151: moments are kept in bfloat16", claim="optax.adamw"
)
def NinthJaxMomentInBrain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The first moment of real parameters is kept in bfloat16."""

    def brained(m: X) -> X:
        return m if jnp.iscomplexobj(m) else m.astype(jnp.bfloat16)

    def kept(new: Moments) -> Moments:
        return new._replace(mu=jax.tree.map(brained, new.mu))

    formula = Formula(learning_rate, b1, b2, eps, eps_root, weight_decay)
    return around(formula, lambda state, params: kept(state), kept)


@row(
    "moments schedule",
    "STEP.1",
    "optax.nadam",
    "google-deepmind/optax#1036: scale_by_schedule stands in front of scale_by_adam",
)
class NinthJaxRateInGradient(Ahead):
    """The learning rate multiplies the gradient, and not the step."""

    def seen(self, g: X) -> X:
        return (self.lr * g).astype(g.dtype)

    def change(self, u: X, g: X, p: X) -> X:
        return -u


@wrong(
    "clock",
    "CLK.2",
    like="pyro-ppl/numpyro#300: the step number is counted anew in each epoch",
    claim="optax.amsgrad",
)
def NinthJaxEpochCountsAnew(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """After each epoch, which has four steps, the clock starts again; the moments go on."""

    def kept(new: Moments) -> Moments:
        return new._replace(count=new.count % 4)

    return around(Highest(learning_rate, b1, b2, eps, eps_root, 0.0), lambda state, params: state, kept)


class Leaf(NamedTuple):
    """The state of one parameter."""

    grad_ema: X
    grad_sq_ema: X


class Whole(NamedTuple):
    """The state as flax' old optimizers had it: a step, and one part for each parameter."""

    step: X
    param_states: list[Leaf]


def zeros_of(params: Tree) -> list[Leaf]:
    leaves = jax.tree.leaves(params)
    return [Leaf(jnp.zeros_like(p), jnp.zeros(p.shape, p.real.dtype)) for p in leaves]


@right(claim="optax.adamw")
def NinthRightJaxLeafStates(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW whose state is a step and a list of what belongs to each leaf."""
    f = Formula(learning_rate, b1, b2, eps, eps_root, weight_decay)

    def init(params: Tree) -> Whole:
        return Whole(jnp.zeros((), jnp.int32), zeros_of(params))

    def update(grads: Tree, state: Whole, params: Tree = None) -> tuple[Tree, Whole]:
        t, leaves = state.step + 1, jax.tree.leaves(params)
        (given, tree), changes, new = jax.tree.flatten(grads, is_leaf=lambda g: g is None), [], []
        for g, p, old in zip(given, leaves, state.param_states, strict=True):
            m, v = f.first(old.grad_ema, g), f.second(old.grad_sq_ema, g)
            changes.append(f.change(f.numerator(m, g, t) / f.denominator(v, v, t), g, p).astype(p.dtype))
            new.append(Leaf(m, v))
        return jax.tree.unflatten(tree, changes), Whole(t, new)

    return optax.GradientTransformation(init, update)


@right(claim="optax.nadam")
def NinthRightJaxRavelled(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """NAdam on leaves that are made flat for the step, moments as well."""
    plain = transformation(Ahead(learning_rate, b1, b2, eps, eps_root, 0.0))

    def flat(tree: Tree) -> Tree:
        return jax.tree.map(jnp.ravel, tree)

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        changes, new = plain.update(flat(grads), state, flat(params))
        return jax.tree.map(lambda c, p: c.reshape(p.shape), changes, params), new

    return optax.GradientTransformation(lambda params: plain.init(flat(params)), update)


@right(claim="optax.amsgrad")
def NinthRightJaxChained(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """AMSGrad as a chain: a direction of length 1, and a scale by the rate behind it."""
    direction = transformation(Highest(1.0, b1, b2, eps, eps_root, 0.0))
    return optax.chain(direction, optax.scale(learning_rate))
