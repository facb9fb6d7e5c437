"""The oracle against things that share nothing with it: mpmath, torch.optim in float64, the paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from flint import arb, ctx

from adamcore import AXES, Adam
from adamcore.conformance.oracle.exact import exact, round_once
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import ODD, moving, numbers
from adamcore.conformance.types import Probe
from adamcore.definition import coefficients, update

PROBE = Probe("test/random", "", (numbers(1, 6),), moving(2, 25, (6,)), {**ODD, "b1": 0.9, "b2": 0.99})

TORCH: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any], Adam]] = {
    "adam": (torch.optim.Adam, {}, Adam()),
    "adamw": (torch.optim.AdamW, {}, Adam(decay="decoupled")),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}, Adam(amsgrad="uncorrected")),
    "maximize": (torch.optim.AdamW, {"maximize": True}, Adam(decay="decoupled", maximize=True)),
    "nadam": (torch.optim.NAdam, {"momentum_decay": 4e-3}, Adam(nesterov="dozat")),
    "nadamw": (
        torch.optim.NAdam,
        {"momentum_decay": 4e-3, "decoupled_weight_decay": True},
        Adam(nesterov="dozat", decay="decoupled"),
    ),
}


@pytest.fixture
def doubles() -> Iterator[None]:
    """torch.optim.NAdam keeps its product of momenta in the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("name", TORCH)
def test_the_oracle_reproduces_torch_in_float64(name: str) -> None:
    make, options, claim = TORCH[name]
    p = torch.tensor(PROBE.params[0])
    h = PROBE.hyper
    betas, wd = (h["b1"], h["b2"]), h["weight_decay"]
    optimizer = make([p], lr=h["lr"], betas=betas, eps=h["eps"], weight_decay=wd, **options)  # type: ignore[call-arg]
    walk = exact(adam_for(claim, PROBE), PROBE)
    for step, values in zip(PROBE.steps, walk.steps, strict=True):
        p.grad = torch.tensor(step.grads[0])
        optimizer.step()
        np.testing.assert_array_less(np.abs(values[0][0].error_of(p.numpy())), 1e-14)


def paper(
    theta: Fraction, grads: list[Fraction], alpha: Fraction, b1: Fraction, b2: Fraction, eps: Fraction
) -> Iterator[Any]:
    """Algorithm 1 of Kingma and Ba (2015), line by line, in mpmath."""
    m = v = mpmath.mpf(0)
    theta, t = mpmath.mpf(theta.numerator) / theta.denominator, 0
    alpha, b1, b2, eps = (mpmath.mpf(x.numerator) / x.denominator for x in (alpha, b1, b2, eps))
    for g_t in grads:
        g = mpmath.mpf(g_t.numerator) / g_t.denominator
        t = t + 1
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        theta = theta - alpha * m_hat / (mpmath.sqrt(v_hat) + eps)
        yield theta


def test_the_oracle_reproduces_the_paper() -> None:
    probe = replace(PROBE, hyper={"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0})
    walk = exact(adam_for(Adam(), probe), probe)
    h = [Fraction(probe.hyper[k]) for k in ("lr", "b1", "b2", "eps")]
    with mpmath.workprec(400):
        for k in range(6):
            grads = [Fraction(float(s.grads[0][k])) for s in probe.steps]  # type: ignore[index]
            for s, theta in enumerate(paper(Fraction(float(probe.params[0][k])), grads, *h)):
                value = walk.steps[s][0][0]
                gap = theta - mpmath.mpf(value.high[k]) - mpmath.mpf(value.low[k])
                assert abs(gap) < mpmath.mpf(2) ** -95 * abs(theta)


class Mp:
    """Numbers and namespace in mpmath: a second arithmetic for the definition."""

    sqrt = staticmethod(mpmath.sqrt)
    maximum = staticmethod(max)
    sign = staticmethod(mpmath.sign)

    def number(self, value: float) -> Any:
        return mpmath.mpf(value)

    def power(self, base: float, k: int, rate: float) -> Any:
        return mpmath.mpf(base) ** (k * mpmath.mpf(rate))

    def successor(self, t: int) -> int:
        return t + 1

    def complement(self, b: float) -> Any:
        return 1 - mpmath.mpf(b)

    def complement_power(self, b: float, t: int) -> Any:
        return 1 - mpmath.mpf(b) ** t

    def keep(self, kept: Any, weight: Any) -> Any:
        return mpmath.mpf(kept)


@pytest.mark.parametrize(
    ("axis", "value"),
    [(a, v) for a, values in AXES.items() for v in values if a not in ("complex", "missing")],
)
def test_two_exact_arithmetics_agree_on_every_axis(axis: str, value: object) -> None:
    adam = adam_for(replace(Adam(decay="decoupled"), **{axis: value}), PROBE)  # type: ignore[arg-type]
    walk = exact(adam, PROBE)
    assert not callable(adam.lr)
    with mpmath.workprec(300):
        p, m, v, top = mpmath.mpf(PROBE.params[0][0]), mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
        mu: Any = 1
        for t, step in enumerate(PROBE.steps, start=1):
            assert step.grads[0] is not None
            c = coefficients(Mp(), adam, t, mpmath.mpf(adam.lr), mu)
            [(p, m)], v, top = update(Mp, adam, c, [(p, mpmath.mpf(step.grads[0][0]), m)], v, top)
            mu = c.mu_product
            want = walk.steps[t - 1][0][0]
            assert abs(p - mpmath.mpf(want.high[0]) - mpmath.mpf(want.low[0])) < mpmath.mpf(2) ** -95


def test_every_probe_is_known_to_far_more_than_float64() -> None:
    for probe in PROBES.values():
        for step in exact(adam_for(Adam(), probe), probe).steps:
            for parts in step:
                for value in parts:
                    finite = np.isfinite(value.high)
                    assert (
                        value.radius[finite] <= 2.0**-120 * np.maximum(1.0, np.abs(value.high[finite]))
                    ).all()


def test_rounding_once_is_not_rounding_twice() -> None:
    """1 + 2**-24 + 2**-60 is above the midpoint; through float64 it would fall on it, and to even."""
    with ctx.workprec(256):
        x = arb(1) + arb(2) ** -24 + arb(2) ** -60
        assert round_once(x, 24, -149) == 1 + 2.0**-23
        assert np.float32(float(x)) == 1.0
        assert round_once(arb(2) ** -150, 24, -149) == 0.0  # tie to even
        assert round_once(arb(3) * arb(2) ** -150, 24, -149) == 2.0**-148


def test_a_ball_across_a_boundary_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="straddles"):
        round_once(arb(1, 0.5), 24, -149)
