"""Blind: Adams as optax' transformations, after the bugs of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from register import wrong

X = Any  #: an array, or what jax traces for one
Tree = Any
Factory = Callable[..., optax.GradientTransformation]


class Moments(NamedTuple):
    """The state, under the names of optax.amsgrad."""

    count: X
    mu: Tree
    nu: Tree
    nu_max: Tree


class Formula:
    """AdamW of one leaf: what a transformation maps over the trees."""

    v_dtype: Any = None  #: of the second moment; None for the parameter's

    def __init__(self, lr: X, b1: float, b2: float, eps: float, eps_root: float, wd: float) -> None:
        self.lr, self.b1, self.b2, self.eps, self.eps_root, self.wd = lr, b1, b2, eps, eps_root, wd

    def whole(self, grads: Tree) -> X:
        """Return whether the step is made."""
        return jnp.asarray(True)

    def seen(self, g: X) -> X:
        return g

    def first(self, m: X, g: X) -> X:
        return m + (1 - self.b1) * (g - m)

    def second(self, v: X, g: X) -> X:
        square = ((1 - self.b2) * g.real) * g.real
        if jnp.iscomplexobj(g):
            square = square + ((1 - self.b2) * g.imag) * g.imag
        return (self.b2 * v + square).astype(v.dtype)

    def left(self, b: float, t: X) -> X:
        return 1 - jnp.asarray(b, jnp.result_type(float)) ** t

    def highest(self, top: X, v: X, t: X) -> X:
        return top

    def numerator(self, m: X, g: X, t: X) -> X:
        return m / self.left(self.b1, t).astype(m.real.dtype)

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(v / self.left(self.b2, t).astype(v.dtype) + self.eps_root) + self.eps

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * (u + self.wd * p)


def at(x: X, count: X) -> X:
    """Return a number, or what a function of the number of updates gives."""
    return x(count) if callable(x) else x


def begun(params: Tree) -> optax.ScaleByAdamState:
    """Return optax' state before the first update; squares are real."""
    mu = jax.tree.map(jnp.zeros_like, params)
    nu = jax.tree.map(lambda p: jnp.zeros(jnp.shape(p), jnp.real(p).dtype), params)
    return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)


def transformation(f: Formula) -> optax.GradientTransformation:
    """Map a formula over trees."""

    def init(params: Tree) -> Moments:
        zeros = jax.tree.map(jnp.zeros_like, params)
        squares = jax.tree.map(lambda p: jnp.zeros(p.shape, f.v_dtype or p.real.dtype), params)
        return Moments(jnp.zeros((), jnp.int32), zeros, squares, squares)

    def update(grads: Tree, state: Moments, params: Tree = None) -> tuple[Tree, Moments]:
        t, seen = state.count + 1, jax.tree.map(f.seen, grads)
        mu = jax.tree.map(f.first, state.mu, seen)
        nu = jax.tree.map(f.second, state.nu, seen)
        top = jax.tree.map(lambda old, v: f.highest(old, v, t), state.nu_max, nu)

        def one(g: X, m: X, v: X, high: X, p: X) -> X:
            return f.change(f.numerator(m, g, t) / f.denominator(v, high, t), g, p).astype(p.dtype)

        changes = jax.tree.map(one, seen, mu, nu, top, params)
        made, new = f.whole(grads), Moments(t, mu, nu, top)
        changes = jax.tree.map(lambda c: jnp.where(made, c, jnp.zeros_like(c)), changes)
        return changes, jax.tree.map(lambda a, b: jnp.where(made, a, b), new, state)

    return optax.GradientTransformation(init, update)


def counting_bad(
    inner: optax.GradientTransformation, step: Callable[[Tree, X, Any, Tree], tuple[Tree, Any]]
) -> optax.GradientTransformation:
    """Return a transformation that counts gradients which are not finite, as ``optax.apply_if_finite`` does.

    Args:
        inner: what it is around.
        step: takes the gradients, whether all are finite, the inner state and the parameters, and returns
            the changes and the new inner state.
    """

    def init(params: Tree) -> optax.ApplyIfFiniteState:
        none = jnp.zeros((), jnp.int32)
        return optax.ApplyIfFiniteState(none, jnp.asarray(True), none, inner.init(params))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, optax.ApplyIfFiniteState]:
        leaves = jax.tree.leaves(grads)
        finite = jnp.all(jnp.asarray([jnp.all(jnp.isfinite(g)) for g in leaves] or [True]))
        changes, new = step(grads, finite, state.inner_state, params)
        count = jnp.where(finite, 0, state.notfinite_count + 1)
        total = state.total_notfinite + jnp.where(finite, 0, 1)
        return changes, optax.ApplyIfFiniteState(count, finite, total, new)

    return optax.GradientTransformation(init, update)


def named_as(formula: type[Formula], made: Factory) -> Factory:
    """Return a factory as what stands in the place of its formula, in the formula's module."""
    made.__name__, made.__doc__, made.__module__ = formula.__name__, formula.__doc__, formula.__module__
    return made


def adamw(formula: type[Formula]) -> Factory:
    """Return a factory with the arguments of optax.adamw and optax.nadamw."""

    def made(
        learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
        eps_root: float = 0.0, weight_decay: float = 1e-4,
    ) -> optax.GradientTransformation:  # fmt: skip
        return transformation(formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    return named_as(formula, made)


def adam(formula: type[Formula]) -> Factory:
    """Return a factory with the arguments of optax.adam, amsgrad and nadam, which have no decay."""

    def made(
        learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
    ) -> optax.GradientTransformation:
        return transformation(formula(learning_rate, b1, b2, eps, eps_root, 0.0))

    return named_as(formula, made)


def row(areas: str, rule: str, claim: str, like: str) -> Callable[[type[Formula]], Any]:
    """Turn a formula into the factory of its claim, and enter that."""
    factory = adam if claim in ("optax.adam", "optax.amsgrad", "optax.nadam") else adamw
    return lambda formula: wrong(areas, rule, like=like, claim=claim)(factory(formula))


class Ahead(Formula):
    """Nesterov's look-ahead, corrected for the next step, as optax.nadamw."""

    def numerator(self, m: X, g: X, t: X) -> X:
        c1, after = (self.left(self.b1, k).astype(m.real.dtype) for k in (t, t + 1))
        return self.b1 * (m / after) + (1 - self.b1) * (g / c1)


@row("moments", "MOM.2", "optax.adamw", "fastai/fastbook#342")
class BlindJaxSquareUnweighted(Formula):
    """The new square enters the second moment whole."""

    def second(self, v: X, g: X) -> X:
        return self.b2 * v + (g * g.conj()).real


@row("complex", "CPX.3", "optax.adamw", "google/jaxopt#169")
class BlindJaxGradientConjugated(Formula):
    """A gradient that has been conjugated already is conjugated once more."""

    def seen(self, g: X) -> X:
        return g.conj()


@row("bias_correction clock", "BC.1", "optax.nadamw", "FluxML/Flux.jl#789")
class BlindJaxPowersNotAdvanced(Ahead):
    """The powers in the corrections are the betas themselves, in every step."""

    def numerator(self, m: X, g: X, t: X) -> X:
        return super().numerator(m, g, jnp.ones_like(t))

    def denominator(self, v: X, top: X, t: X) -> X:
        return super().denominator(v, top, jnp.ones_like(t))


@row("mixed_precision moments", "MOM.4", "optax.adamw", "NVIDIA/warp#1595")
class BlindJaxSecondInFloat(Formula):
    """The second moment is float32 for every parameter, also for one of float64."""

    v_dtype = jnp.float32

    def denominator(self, v: X, top: X, t: X) -> X:
        return super().denominator(v.astype(jnp.result_type(float)), top, t)


@row("nonfinite", "NF.2", "optax.adamw", "ArgonneCPAC/diffmah#54")
class BlindJaxTreeKept(Formula):
    """If one gradient has a number that is not finite, all parameters and the state stay."""

    def whole(self, grads: Tree) -> X:
        return jnp.all(jnp.asarray([jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(grads)]))


@row("layout moments", "STEP.1", "optax.adamw", "google-deepmind/optax#159")
class BlindJaxScalarsUnscaled(Formula):
    """A mask leaves 0-d leaves out of Adam, and so hands their gradient on as it is."""

    def change(self, u: X, g: X, p: X) -> X:
        return super().change(u if p.ndim else g, g, p)


@row("moments epsilon", "MOM.1", "optax.adamw", "THUDM/slime#1842")
class BlindJaxUnscaledTwice(Formula):
    """The gradient is divided by the loss scale of 1024 that it no longer has."""

    def seen(self, g: X) -> X:
        return g / 1024


@row("amsgrad", "AMS.2", "optax.amsgrad", "google-deepmind/optax#1389")
class BlindJaxMaximumBeforeCorrection(Formula):
    """The maximum is that of the raw second moment, corrected in each step anew."""

    def highest(self, top: X, v: X, t: X) -> X:
        return jnp.maximum(top, v)

    def denominator(self, v: X, top: X, t: X) -> X:
        return super().denominator(top, top, t)


@row("epsilon", "EPS.5", "optax.adam", "kozistr/pytorch_optimizer#397")
class BlindJaxEpsilonRootOutside(Formula):
    """The epsilon that belongs under the root stands beside it, with the other one."""

    def denominator(self, v: X, top: X, t: X) -> X:
        return jnp.sqrt(v / self.left(self.b2, t).astype(v.dtype)) + self.eps + self.eps_root


@row("nesterov", "NES.2", "optax.nadam", "ooples/AiDotNet.Tensors#960")
class BlindJaxOneCorrectionAhead(Formula):
    """The look-ahead has the correction of this step, not that of the next."""

    def numerator(self, m: X, g: X, t: X) -> X:
        return (self.b1 * m + (1 - self.b1) * g) / self.left(self.b1, t).astype(m.real.dtype)
