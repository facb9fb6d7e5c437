"""What other orders of evaluation add to the bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from worst_error import worst

from adamcore import Adam
from adamcore.conformance.claims import claim_of_dialect
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import ODD, moving, numbers
from adamcore.conformance.types import FloatArray, Probe


def test_a_look_ahead_in_two_steps_is_within_the_bound() -> None:
    """PyTorch's NAdam takes the gradient's part from p and then the momentum's: p is rounded twice."""
    sizes: FloatArray = (100.0 * numbers(3, 2000)).astype(np.float32).astype(np.float64)
    probe = Probe("test/large", "", (sizes,), moving(4, 2, (2000,)), {**ODD, "lr": 2.0**-10})
    h = probe.hyper
    p = torch.tensor(sizes, dtype=torch.float32)
    optimizer = torch.optim.NAdam(
        [p], h["lr"], (h["b1"], h["b2"]), h["eps"], h["weight_decay"], momentum_decay=4e-3, foreach=False
    )

    def run(g: FloatArray) -> FloatArray:
        p.grad = torch.tensor(g, dtype=p.dtype)
        optimizer.step()
        return p.numpy()

    given = adam_for(claim_of_dialect("torch.NAdam").adam, probe)
    assert 0.5 < worst(given, probe, "float32", run) < 1.0


@pytest.mark.parametrize("epsilon", ["outside-corrected", "outside-uncorrected"])
@pytest.mark.parametrize("scale", ["lr", "lr/c1", "lr*r/c1", "lr*r", "lr, r"])
def test_a_numerator_that_underflows_is_within_the_bound(epsilon: str, scale: str) -> None:
    """The step size times m, before the division, is a subnormal of few bits (torch's addcdiv)."""
    probe, f = PROBES["NUM.2/subnormal"], np.float32
    h = {name: f(value) for name, value in probe.hyper.items()}
    p: FloatArray = probe.params[0].astype(f)
    m: FloatArray = np.zeros(3, f)
    v, t = m, 0

    def run(g: FloatArray) -> FloatArray:
        nonlocal p, m, v, t
        t, g = t + 1, g.astype(f)
        m, v = h["b1"] * m + f(0.1) * g, h["b2"] * v + f(0.001) * g * g
        c1, r = f(1 - 0.9**t), f(np.sqrt(1 - 0.999**t))
        eps = h["eps"] if epsilon == "outside-corrected" else h["eps"] / r
        forms: dict[str, tuple[FloatArray, Any, FloatArray]] = {
            "lr": (h["lr"] * m, 1 / c1, np.sqrt(v) / r + eps),
            "lr/c1": (h["lr"] / c1 * m, f(1), np.sqrt(v) / r + eps),
            "lr*r/c1": (h["lr"] * r / c1 * m, f(1), np.sqrt(v) + eps * r),
            "lr*r": (h["lr"] * r * m, 1 / c1, np.sqrt(v) + eps * r),
            "lr, r": (r * (h["lr"] * m), 1 / c1, np.sqrt(v) + eps * r),
        }
        numerator, rest, root = forms[scale]
        p = p - numerator / root * rest
        return p

    assert worst(adam_for(Adam(epsilon=epsilon), probe), probe, "float32", run) < 1.0  # type: ignore[arg-type]


def test_the_scaled_numerator_widens_the_bound_only_where_it_underflows() -> None:
    probe, adam = PROBES["NUM.2/subnormal"], adam_for(Adam(), PROBES["NUM.2/subnormal"])
    steps = (
        replace(s, grads=tuple(np.multiply(2.0**60, g) for g in s.grads if g is not None))
        for s in probe.steps
    )
    large = replace(probe, steps=tuple(steps))
    units = []
    for each in (probe, large):
        first = bounds(adam, each, "float32").steps[0][0][0]
        units.append(float(first.p[0] / first.size[0]) * 2.0**24)
    assert units[0] > 500.0
    assert units[1] < 16.0
