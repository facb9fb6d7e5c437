"""Moments rounded at random: right ones pass, each wrong kind is told, and ours are held to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from random_runs import CARRIERS, DTYPES, assert_passes, assert_told, rounded, shortened, some_slow

from adamcore import Adam
from adamcore.conformance.candidates.own import OwnCandidate, library_for
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.types import FloatArray, Moments, Probe, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.random_moments import NOT_NEXT, random_parts, shown_moments
from adamcore.conformance.verdict.random_rounding import BIASED_MOMENTS, DEPENDENT_MOMENTS

AT_RANDOM: Any = {"m_storage": "stochastic", "v_storage": "stochastic"}
CLAIM = Adam(decay="decoupled", **AT_RANDOM)
PROBE = "STORE.16/random"
PARTS = ("m", "v")
Chance = Callable[[int, int, int, Any], Any]
"""From step, parameter, part and fraction to whether the upper one is taken."""


def run_of(chance: Chance, dtype: str) -> tuple[Probe, Run]:
    """Return the probe, and the run of an AdamW in float64 whose moments are rounded as ``chance`` says."""
    probe, run, carrier = shortened(PROBE, dtype, 512, 8), Run(), CARRIERS[dtype]
    h, ps = probe.hyper, [p.copy() for p in probe.params]
    kept: list[list[FloatArray]] = [[np.zeros_like(p) for p in ps] for _ in PARTS]
    for t, step in enumerate(probe.steps, start=1):
        for i, g in enumerate(step.grads):
            assert g is not None
            new = [h[b] * kept[k][i] + (1 - h[b]) * x for k, (b, x) in enumerate((("b1", g), ("b2", g * g)))]
            root = np.sqrt(new[1] / (1 - h["b2"] ** t)) + h["eps"]
            ps[i] = round_to(ps[i] - h["lr"] * new[0] / (1 - h["b1"] ** t) / root, dtype)
            for k, x in enumerate(new):
                kept[k][i] = rounded(x, dtype, partial(chance, t, i, k))
        run.params.append([p.astype(carrier) for p in ps])
        run.moments.append(
            [Moments(m.astype(carrier), v.astype(carrier)) for m, v in zip(*kept, strict=True)]
        )
    return probe, run


def uniform(*key: int, size: int = 512) -> FloatArray:
    return np.random.default_rng([16, *key]).random(size)


RIGHT: Chance = lambda t, i, k, f: uniform(t, i, k) < f  # noqa: E731
WRONG: dict[str, tuple[Chance, str, str]] = {
    "v to the nearest": (
        lambda t, i, k, f: f > 0.5 if k else uniform(t, i) < f,
        BIASED_MOMENTS,
        "v, the sam",
    ),
    "m to the nearest": (
        lambda t, i, k, f: uniform(t, i) < f if k else f > 0.5,
        BIASED_MOMENTS,
        "m, the sam",
    ),
    "cut off": (lambda t, i, k, f: f < 0, BIASED_MOMENTS, "v, "),
    "for both": (lambda t, i, k, f: uniform(t, i) < f, DEPENDENT_MOMENTS, "v, it goes as m does"),
    "every step": (lambda t, i, k, f: uniform(i, k) < f, DEPENDENT_MOMENTS, "a step goes"),
    "every element": (lambda t, i, k, f: uniform(t, i, k)[0] < f, DEPENDENT_MOMENTS, "an element goes"),
    "every parameter": (lambda t, i, k, f: uniform(t, k) < f, DEPENDENT_MOMENTS, "a parameter goes"),
}
FEW = ("v to the nearest", "for both")


@pytest.mark.parametrize("name", some_slow(WRONG, FEW))
def test_wrong_random_numbers_are_told(name: str) -> None:
    chance, kind, what = WRONG[name]
    assert_told(CLAIM, *run_of(chance, "bfloat16"), kind, what)


@pytest.mark.parametrize("dtype", DTYPES)
def test_right_random_numbers_pass(dtype: str) -> None:
    assert_passes(CLAIM, *run_of(RIGHT, dtype), dtype)


@pytest.mark.slow
def test_no_alarm_in_many_runs() -> None:
    for seed in range(40):
        probe, run = run_of(lambda t, i, k, f, seed=seed: uniform(t, i, k, seed) < f, "bfloat16")  # type: ignore[misc]
        assert judge(CLAIM, probe, "bfloat16", run).status == "passed"


def ours(**changes: Any) -> tuple[Adam, Probe, Run]:
    """Return a claim, a short probe, and the run of our NumPy backend."""
    pytest.importorskip("ml_dtypes")
    claim = replace(CLAIM, **changes)
    library = library_for("numpy")
    assert library is not None
    short = replace(shortened(PROBE, "bfloat16", 40, 3), name="MOM.2/short")
    run = OwnCandidate(library, claim).run(short, "bfloat16")
    assert run.error is None
    return claim, short, run


@pytest.mark.parametrize("changes", [{}, {"amsgrad": "corrected", "p_storage": "stochastic", "seed": 5}])
def test_ours_have_the_bits_of_the_rule(changes: Any) -> None:
    claim, probe, run = ours(**changes)
    assert judge(claim, probe, "bfloat16", run, our_bits=True).status == "passed"
    other = judge(replace(claim, seed=6), probe, "bfloat16", run, our_bits=True)
    assert other.reason.startswith(NOT_NEXT)
    assert judge(replace(claim, seed=6), probe, "bfloat16", run).status == "passed", "as another's they are"


def test_a_moment_that_is_no_neighbour() -> None:
    claim, probe, run = ours()
    kept = run.moments[1][0]
    assert kept is not None
    kept.v[7] *= np.float32(1 + 2.0**-6)
    result = judge(claim, probe, "bfloat16", run)
    assert result.reason.startswith(f"{NOT_NEXT}: v of parameter 0[7] after step 2 is ")


def test_a_moment_with_more_digits() -> None:
    claim, probe, run = ours()
    kept = run.moments[0][1]
    assert kept is not None
    kept.m[3] *= np.float32(1 + 2.0**-20)
    assert judge(claim, probe, "bfloat16", run).reason.startswith(
        f"{NOT_NEXT}: m of parameter 1[3] after step 1"
    )


def test_moments_that_are_not_shown_are_not_judged() -> None:
    claim, probe, run = ours()
    assert shown_moments(claim, probe, run, "bfloat16") is not None
    assert shown_moments(Adam(), probe, run, "bfloat16") is None
    hidden = [
        replace(run, moments=[]),
        replace(run, moments=run.moments[1:]),
        replace(run, moments=[[after[0]] for after in run.moments]),
        replace(run, moments=[[k and k._replace(v=k.v[1:]) for k in after] for after in run.moments]),
        replace(
            run, moments=[[k and k._replace(m=k.m.astype("int8")) for k in after] for after in run.moments]
        ),
    ]
    for each in hidden:
        assert shown_moments(claim, probe, each, "bfloat16") is None
    assert judge(claim, probe, "bfloat16", hidden[0]).status == "passed"
    assert shown_moments(replace(claim, amsgrad="corrected"), probe, run, "bfloat16") is None


def test_only_moments_of_16_bits_are_rounded_at_random() -> None:
    assert random_parts(CLAIM, "float16") == {"m": "float16", "v": "float16"}
    assert random_parts(CLAIM, "float32") == {}
    assert random_parts(replace(CLAIM, v_dtype="float32"), "bfloat16") == {"m": "bfloat16"}
    assert random_parts(Adam(v_storage="stochastic"), "bfloat16") == {"v": "bfloat16"}


def test_a_parameter_without_a_step_has_no_moments_yet() -> None:
    claim, probe, run = ours()
    first = [[None, kept[1]] if s == 0 else kept for s, kept in enumerate(run.moments)]
    shown = shown_moments(claim, probe, replace(run, moments=first), "bfloat16")
    assert shown is not None
    assert not shown[0][0].m.any()
