"""The derived bound: sound where roundings are drawn at random, tight where real Adams run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from worst_error import worst

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import ODD, moving, numbers
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import coefficients, update

RANDOM = Probe("test/random", "", (numbers(1, 16),), moving(2, 30, (16,)), {**ODD, "b1": 0.9, "b2": 0.99})


@pytest.mark.parametrize("form", ["for-loop", "foreach", "fused"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", ["l2", "decoupled"])
def test_torch_is_within_the_bound(form: str, dtype: str, decay: str) -> None:
    make = torch.optim.AdamW if decay == "decoupled" else torch.optim.Adam
    h = RANDOM.hyper
    p = torch.tensor(RANDOM.params[0], dtype=getattr(torch, dtype))
    options: dict[str, Any] = {"fused": True} if form == "fused" else {"foreach": form == "foreach"}
    optimizer = make(
        [p], lr=h["lr"], betas=(h["b1"], h["b2"]), eps=h["eps"], weight_decay=h["weight_decay"], **options
    )

    def run(g: FloatArray) -> FloatArray:
        p.grad = torch.tensor(g, dtype=p.dtype)
        optimizer.step()
        return p.numpy()

    ratio = worst(adam_for(Adam(decay=decay), RANDOM), RANDOM, dtype, run)  # type: ignore[arg-type]
    assert 0.02 < ratio < 1.0


def test_optax_needs_the_bound_of_its_own_coefficients() -> None:
    """Formed in float32, 1-b**t is thousands of ULP off: allowed as "working", not as "double"."""
    probe = PROBES["NUM.4/near-one"]
    h = probe.hyper
    ratios = {}
    for precision in ("double", "working"):
        optimizer = optax.adam(h["lr"], h["b1"], h["b2"], h["eps"])
        p = jnp.asarray(probe.params[0], dtype=jnp.float32)
        state = optimizer.init(p)

        def run(g: FloatArray, optimizer: Any = optimizer) -> FloatArray:
            nonlocal p, state
            updates, state = optimizer.update(jnp.asarray(g, dtype=jnp.float32), state, p)
            p = jnp.asarray(optax.apply_updates(p, updates))
            return np.asarray(p)

        with jax.disable_jit():
            ratios[precision] = worst(
                adam_for(Adam(coefficients=precision), probe),
                probe,
                "float32",
                run,
            )
    assert ratios["double"] > 10.0
    assert ratios["working"] < 1.0


class Rounded:
    """A float32 whose every operation errs by a random amount up to the format's unit: any rounding
    an arithmetic of the family could make, and more than real roundings do.
    """

    __array_ufunc__ = None

    def __init__(self, x: FloatArray, rng: np.random.Generator) -> None:
        self.rng = rng
        self.x = x

    def off(self, x: FloatArray) -> Rounded:
        return Rounded(x * (1.0 + 2.0**-24 * self.rng.choice([-1.0, 1.0], size=np.shape(x))), self.rng)

    def __add__(self, o: Any) -> Rounded:
        return self.off(self.x + getattr(o, "x", o))

    def __sub__(self, o: Any) -> Rounded:
        return self.off(self.x - getattr(o, "x", o))

    def __mul__(self, o: Any) -> Rounded:
        return self.off(self.x * getattr(o, "x", o))

    def __truediv__(self, o: Any) -> Rounded:
        return self.off(self.x / getattr(o, "x", o))

    def __neg__(self) -> Rounded:
        return Rounded(-self.x, self.rng)

    __radd__, __rmul__ = __add__, __mul__


class RoundedNamespace:
    @staticmethod
    def sqrt(a: Rounded) -> Rounded:
        return a.off(np.sqrt(a.x))

    @staticmethod
    def maximum(a: Rounded, b: Rounded) -> Rounded:
        return Rounded(np.maximum(a.x, b.x), a.rng)

    @staticmethod
    def sign(a: Rounded) -> Rounded:
        return Rounded(np.sign(a.x), a.rng)


class TwoWeights(Host):
    """Coefficients each off by a unit, and both weights of an average: the wide form."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def keep(self, kept: float, weight: float) -> float:
        return kept


@pytest.mark.parametrize(
    "axes",
    [
        {},
        {"decay": "decoupled"},
        {"decay": "decoupled", "decay_order": "after"},
        {"decay": "decoupled", "cautious_decay": True},
        {"decay": "decoupled-unscaled", "cautious_decay": True, "decay_order": "after"},
        {"amsgrad": "corrected", "epsilon": "inside-corrected"},
        {"amsgrad": "uncorrected", "epsilon": "outside-uncorrected", "nesterov": "optax"},
        {"nesterov": "dozat", "decay": "decoupled"},
    ],
)
def test_no_choice_of_roundings_leaves_the_bound(axes: dict[str, Any]) -> None:
    """Every operation errs by a full unit up or down, at random; 40 draws, 16 elements, 30 steps."""
    adam = adam_for(replace(Adam(), **axes), RANDOM)
    walk, limit = exact(adam, RANDOM), bounds(adam, RANDOM, "float32")
    assert not callable(adam.lr)
    largest = 0.0
    for draw in range(40):
        rng = np.random.default_rng(draw)
        zero = Rounded(np.zeros(16), rng)
        p, m, v, top = Rounded(RANDOM.params[0], rng), zero, zero, zero
        mu: Any = 1.0
        for t, (step, values, limits) in enumerate(
            zip(RANDOM.steps, walk.steps, limit.steps, strict=True), start=1
        ):
            g = Rounded(np.asarray(step.grads[0]), rng)
            c = coefficients(TwoWeights(rng), adam, t, adam.lr, mu)
            mu = c.mu_product
            off = [None if x is None else x * (1 + 2.0**-24 * rng.choice([-1.0, 1.0])) for x in c]
            [(p, m)], v, top = update(RoundedNamespace, adam, type(c)(*off), [(p, g, m)], v, top)  # type: ignore[assignment]
            ratio = np.abs(values[0][0].error_of(p.x)) / limits[0][0].p
            largest = max(largest, float(ratio.max()))
    assert 0.1 < largest < 1.0


def test_l2_with_zero_gradients_over_300_steps_is_decided() -> None:
    """Unsigned error propagation is vacuous here; signed, the bound stays far below lr."""
    probe = PROBES["DEC.1/zero-gradient"]
    for dtype, limit in (("float32", 1e-2), ("float64", 1e-10)):
        walk = bounds(adam_for(Adam(), probe), probe, dtype)
        assert len(walk.steps) == 300
        assert max(float(step[0][0].p.max()) for step in walk.steps) < limit * probe.hyper["lr"]


def test_flushed_subnormals_widen_the_bound() -> None:
    probe = PROBES["NUM.2/tiny"]
    adam = adam_for(Adam(), probe)
    kept = bounds(adam, probe, "float32").steps[-1][0][0].p
    flushed = bounds(adam, probe, "float32", True).steps[-1][0][0].p
    assert (flushed >= kept).all()
    assert flushed[0] > kept[0]
