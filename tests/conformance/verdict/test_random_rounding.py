"""Stochastic rounding: right random numbers pass, and each wrong kind is told by its sum."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from random_runs import CARRIERS, DTYPES, assert_passes, assert_told, rounded, shortened, some_slow

from adamcore import Adam
from adamcore.conformance.types import FloatArray, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.random_rounding import BIASED, DEPENDENT

CLAIM = Adam(decay="decoupled", p_storage="stochastic", moment_dtype="float32")
Chance = Callable[[int, int, Any], Any]
"""From step, parameter and fraction to whether the upper one is taken."""


def run_of(chance: Chance, dtype: str, elements: int = 1024) -> tuple[Any, Run]:
    """Return the probe, and the run of an AdamW in float64 that rounds as ``chance`` says."""
    probe = shortened("STORE.6/random", dtype, elements)
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
            ps[i] = rounded(x, dtype, partial(chance, t, i))
        run.params.append([p.astype(CARRIERS[dtype]) for p in ps])
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


@pytest.mark.parametrize("name", some_slow(WRONG, FEW))
def test_wrong_random_numbers_are_told(name: str) -> None:
    chance, kind, what = WRONG[name]
    assert_told(CLAIM, *run_of(chance, "bfloat16"), kind, what)


@pytest.mark.parametrize("dtype", DTYPES)
def test_right_random_numbers_pass(dtype: str) -> None:
    assert_passes(CLAIM, *run_of(RIGHT, dtype), dtype)


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
