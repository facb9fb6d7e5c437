"""How coefficients are formed, read off the run that shows it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Run
from adamcore.conformance.verdict.precision import PROBE, nearest_way

f32 = np.float32
Power = Callable[[float, int], float]  #: b**t, of b and t


def run(power: Power, b: Callable[[float], float] = float) -> Run:
    """Adam in float32 with coefficients formed as ``power`` and ``b`` say."""
    probe, done = PROBES[PROBE], Run()
    h = probe.hyper
    b1, b2 = b(h["b1"]), b(h["b2"])
    p: FloatArray = probe.params[0].astype(f32)
    m: FloatArray = np.zeros_like(p)
    v: FloatArray = m
    for t, step in enumerate(probe.steps, start=1):
        g = np.asarray(step.grads[0], dtype=f32)
        m, v = f32(b1) * m + f32(1 - b1) * g, f32(b2) * v + f32(1 - b2) * g * g
        c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
        p = p - f32(h["lr"] / c1) * m / (np.sqrt(v) / f32(np.sqrt(c2)) + f32(h["eps"]))
        done.params.append([p])
    return done


def product(b: float, t: int) -> float:
    total = f32(1)
    for _ in range(t):
        total = total * f32(b)
    return float(total)


WAYS: dict[str, Run] = {
    "double": run(lambda b, t: b**t),
    "a float32 power": run(lambda b, t: float(f32(b) ** f32(t))),
    "a float32 running product": run(product),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_way_is_read(way: str) -> None:
    found = nearest_way(Adam(), {(PROBE, "float32"): WAYS[way]}, PROBES)
    assert found is not None
    assert found.way == way
    assert found.distance < 3.0


def test_nothing_is_said_without_the_run_or_far_from_every_way() -> None:
    assert nearest_way(Adam(), {}, PROBES) is None
    far = run(lambda b, t: 0.5 * b**t)
    assert nearest_way(Adam(), {(PROBE, "float32"): far}, PROBES) is None
    failed = run(lambda b, t: b**t)
    failed.error = "ValueError: no"
    assert nearest_way(Adam(), {(PROBE, "float32"): failed}, PROBES) is None


@pytest.mark.parametrize("way", WAYS)
def test_the_way_does_not_depend_on_what_the_claim_allows(way: str) -> None:
    allowed = Adam(coefficients="working")
    found = nearest_way(allowed, {(PROBE, "float32"): WAYS[way]}, PROBES)
    assert found is not None
    assert found.way == way
