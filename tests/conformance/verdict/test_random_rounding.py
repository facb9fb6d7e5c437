"""Stochastic rounding: right random numbers pass, and each wrong kind is told by its sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.dtypes import round_probe
from adamcore.conformance.oracle.kept import neighbours
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.random_rounding import BIASED, DEPENDENT

CLAIM = Adam(decay="decoupled", p_storage="stochastic", moment_dtype="float32")
Chance = Callable[
    [int, int, Any], Any
]  #: from step, parameter and fraction to whether the upper one is taken


def run_of(chance: Chance, dtype: str, elements: int = 1024) -> tuple[Any, Run]:
    """Return the probe, and the run of an AdamW in float64 that rounds as ``chance`` says."""
    probe = round_probe(PROBES["STORE.6/random"], dtype)
    cut = tuple(replace(s, grads=tuple(g[:elements] for g in s.grads if g is not None)) for s in probe.steps)
    probe = replace(probe, params=tuple(p[:elements] for p in probe.params), steps=cut)
    h, run = probe.hyper, Run()
    ps = [p.copy() for p in probe.params]
    ms, vs = ([np.zeros_like(p) for p in ps] for _ in range(2))
    for t, step in enumerate(probe.steps, start=1):
        for i, g in enumerate(step.grads):
            assert g is not None
            ms[i] = h["b1"] * ms[i] + (1 - h["b1"]) * g
            vs[i] = h["b2"] * vs[i] + (1 - h["b2"]) * g * g
            root = np.sqrt(vs[i] / (1 - h["b2"] ** t)) + h["eps"]
            x = ps[i] - h["lr"] * ms[i] / (1 - h["b1"] ** t) / root
            low, high = neighbours(x, dtype)
            fraction: FloatArray = (x - low) / np.where(high > low, high - low, 1.0)
            ps[i] = np.where(chance(t, i, fraction), high, low)
        run.params.append([p.astype(np.float32 if dtype == "bfloat16" else np.float16) for p in ps])
    return probe, run


def uniform(*key: int, size: int = 1024) -> FloatArray:
    return np.random.default_rng([14, *key]).random(size)


RIGHT: Chance = lambda t, i, f: uniform(t, i) < f  # noqa: E731
WRONG: dict[str, tuple[Chance, str, str]] = {
    "always up": (lambda t, i, f: f > 0, BIASED, "up less"),
    "nearest": (lambda t, i, f: f > 0.5, BIASED, "in quarter "),
    "half the noise": (lambda t, i, f: uniform(t, i) / 2 + 0.25 < f, BIASED, "in quarter "),
    "down too often": (lambda t, i, f: uniform(t, i) < 0.9 * f, BIASED, "up less"),
    "one number for all elements": (lambda t, i, f: uniform(t, i)[0] < f, DEPENDENT, "an element goes"),
    "in pairs": (lambda t, i, f: uniform(t, i)[np.arange(1024) // 2] < f, DEPENDENT, "an element goes"),
    "every step": (lambda t, i, f: uniform(i) < f, DEPENDENT, "a step goes"),
    "every parameter": (lambda t, i, f: uniform(t) < f, DEPENDENT, "a parameter goes"),
}
FEW = ("half the noise", "every step")


@pytest.mark.parametrize("name", [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in WRONG])
def test_wrong_random_numbers_are_told(name: str) -> None:
    chance, kind, what = WRONG[name]
    probe, run = run_of(chance, "bfloat16")
    result = judge(CLAIM, probe, "bfloat16", run)
    assert result.status == "failed"
    assert result.reason.startswith(kind)
    assert what in result.reason


@pytest.mark.parametrize("dtype", [pytest.param("bfloat16", marks=pytest.mark.slow), "float16"])
def test_right_random_numbers_pass(dtype: str) -> None:
    probe, run = run_of(RIGHT, dtype)
    result = judge(CLAIM, probe, dtype, run)
    assert (result.status, result.undecided, result.reason) == ("passed", 0, "")


@pytest.mark.slow
def test_a_third_number_is_refused() -> None:
    probe, run = run_of(RIGHT, "bfloat16")
    run.params[3][1][7] += np.float32(2.0**-6)
    result = judge(CLAIM, probe, "bfloat16", run)
    assert result.status == "failed"
    assert result.evidence is not None
    assert (result.evidence.step, result.evidence.element) == (4, "1[7]")


def test_our_own_bits_are_asked_for_one_by_one() -> None:
    """Random numbers that are right by their statistics are not those of STORE.7."""
    probe, run = run_of(RIGHT, "bfloat16")
    result = judge(CLAIM, probe, "bfloat16", run, our_bits=True)
    assert result.status == "failed"
    assert result.evidence is not None


@pytest.mark.slow
def test_no_alarm_in_many_runs() -> None:
    for seed in range(40):
        probe, run = run_of(lambda t, i, f, seed=seed: uniform(t, i, seed) < f, "bfloat16")  # type: ignore[misc]
        assert judge(CLAIM, probe, "bfloat16", run).status == "passed"
