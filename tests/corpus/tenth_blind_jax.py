"""Blind, tenth set: optax' transformations, after the bugs of others, and right ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from blind_jax import Ahead, Formula, Tree, X, counting_bad, row, transformation
from jax.flatten_util import ravel_pytree
from register import right, wrong


@wrong(
    "loss_scale",
    "SCALE.2",
    like="marin-community/levanter#973: a step is left out by gradients that are multiplied by 0",
    claim="optax.adamw",
)
def TenthJaxSkipsByZeros(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """A step whose gradients are not finite is made with gradients of zeros in their place."""
    inner = transformation(Formula(learning_rate, b1, b2, eps, eps_root, weight_decay))

    def step(grads: Tree, finite: X, state: Any, params: Tree) -> tuple[Tree, Any]:
        grads = jax.tree.map(lambda g: jnp.where(finite, g, jnp.zeros_like(g)), grads)
        return inner.update(grads, state, params)

    return counting_bad(inner, step)


@row(
    "mixed_precision moments",
    "MOM.4",
    "optax.adamw",
    "google/flax#965, jax-ml/jax#4827: a first moment of float32 becomes one of float64",
)
class TenthJaxPromoted(Formula):
    """Where JAX has 64 bits, the first moment of a float32 parameter is of float64 from the first step on."""

    def first(self, m: X, g: X) -> X:
        return m + jnp.asarray(1 - self.b1, jnp.result_type(float)) * (g - m)


@row(
    "decay",
    "DEC.2",
    "optax.adamw",
    "huggingface/transformers#11936: the masks of the two halves are exchanged",
)
class TenthJaxMaskFlipped(Formula):
    """Vectors and scalars decay, and what has two dimensions or more does not."""

    def change(self, u: X, g: X, p: X) -> X:
        return -self.lr * (u + self.wd * p) if p.ndim < 2 else -self.lr * u


@row(
    "nonfinite",
    "NF.1",
    "optax.adam",
    "SlopDotCash/asi#71: where(isnan(grad), 0, grad), against 0*inf",
)
class TenthJaxNanIsZero(Formula):
    """A gradient that is NaN counts as 0, in its element."""

    def seen(self, g: X) -> X:
        return jnp.where(jnp.isnan(g), jnp.zeros_like(g), g)


@row(
    "clipping",
    "CLIP.4",
    "optax.adam",
    "neuroailab/tfutils#115: gradients are always clipped to 1.0",
)
class TenthJaxClippedToOne(Formula):
    """Each number of a gradient is clipped to 1, which nobody asked for."""

    def seen(self, g: X) -> X:
        if jnp.iscomplexobj(g):
            return jax.lax.complex(jnp.clip(g.real, -1, 1), jnp.clip(g.imag, -1, 1))
        return jnp.clip(g, -1, 1)


class Kept(NamedTuple):
    """A state with the learning rate of the start."""

    inner: Any
    rate: X


@wrong(
    "schedule",
    "LR.1",
    like="eragonruan/text-detection-ctpn#201: AdamOptimizer has the number, and the variable is changed",
    claim="optax.nadamw",
)
def TenthJaxRateOfStart(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """The learning rate is the one at init, whatever rate is set later."""

    def made(rate: X) -> optax.GradientTransformation:
        return transformation(Ahead(rate, b1, b2, eps, eps_root, weight_decay))

    def init(params: Tree) -> Kept:
        return Kept(made(learning_rate).init(params), jnp.asarray(learning_rate))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Kept]:
        changes, inner = made(state.rate).update(grads, state.inner, params)
        return changes, Kept(inner, state.rate)

    return optax.GradientTransformation(init, update)


@right(claim="optax.adamw")
def TenthRightJaxChain(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
    eps_root: float = 0.0, weight_decay: float = 1e-4,
) -> optax.GradientTransformation:  # fmt: skip
    """AdamW as trainers chain it from optax' parts; the rate is the last one, negative."""
    return optax.chain(
        optax.scale_by_adam(b1, b2, eps, eps_root),
        optax.add_decayed_weights(weight_decay),
        optax.scale(-learning_rate),
    )


class Rows(NamedTuple):
    """The state of one row, in which all leaves stand end to end."""

    t: X
    first: X
    second: X


@right(claim="optax.adam")
def TenthRightJaxOneRow(
    learning_rate: X, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """Adam over one row of all leaves end to end, which is cut into a tree behind the step."""

    def init(params: Tree) -> Rows:
        line, _ = ravel_pytree(params)
        return Rows(jnp.zeros((), jnp.int32), jnp.zeros_like(line), jnp.zeros(line.shape, line.real.dtype))

    def update(grads: Tree, state: Any, params: Tree = None) -> tuple[Tree, Rows]:
        form: Any = jax.tree.structure(params)
        if form != jax.tree.structure(grads):
            raise ValueError("the gradients are another tree than the parameters")
        g, whole = ravel_pytree(grads)
        f = Formula(learning_rate, b1, b2, eps, eps_root, 0.0)
        t, m, v = state.t + 1, f.first(state.first, g), f.second(state.second, g)
        line = -learning_rate * (f.numerator(m, g, t) / f.denominator(v, v, t))
        return whole(line.astype(g.dtype)), Rows(t, m, v)

    return optax.GradientTransformation(init, update)
