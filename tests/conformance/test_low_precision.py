"""bfloat16 and float16 parameters: arithmetic in float32, one more rounding on store (NUM.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import storage_runs
import torch
from cases import some
from restart import Snapshot, judge_step_by_step

from adamcore import Adam
from adamcore.conformance.dtypes import DTYPES, round_probe, to_carrier, ulp_of
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import ODD, moving, numbers
from adamcore.conformance.types import FloatArray, Probe, Run, Start
from adamcore.conformance.verdict.judge import judge

NARROW = ("bfloat16", "float16")
SHORT = (
    "STEP.1/fingerprint", "EPS.2/comparable", "DEC.5/order", "AMS.1/shrinking", "MOM.1/b1-zero",
    "F2/zero-element",
)  # fmt: skip
ADAMW = Adam(decay="decoupled")


def torch_run(probe: Probe, dtype: str, **options: Any) -> tuple[Run, list[Snapshot]]:
    """torch.optim.AdamW, and what it held before each step."""
    h = probe.hyper
    p = torch.tensor(probe.params[0], dtype=getattr(torch, dtype), requires_grad=True)
    optimizer = torch.optim.AdamW(
        [p], lr=h["lr"], betas=(h["b1"], h["b2"]), eps=h["eps"], weight_decay=h["weight_decay"], **options
    )
    zero = np.zeros(probe.params[0].shape)
    run, snapshots = Run(), [Snapshot((probe.params[0],), (Start(0, zero, zero, zero),))]
    for step in probe.steps:
        p.grad = torch.tensor(step.grads[0], dtype=p.dtype)
        optimizer.step()
        state = optimizer.state[p]
        run.params.append([to_carrier(double(p), dtype)])
        start = Start(int(state["step"]), double(state["exp_avg"]), double(state["exp_avg_sq"]), zero)
        snapshots.append(Snapshot((double(p),), (start,)))
    return run, snapshots


def double(x: torch.Tensor) -> FloatArray:
    return x.detach().double().numpy().copy()


def own_run(adam: Adam, p: Any, steps: list[Any], dtype: str) -> Run:
    """One of our backends, whichever the arrays belong to."""
    state, run = adam.init(p), Run()
    for g in steps:
        p, state = adam.step(p, g, state)
        run.params.append([to_carrier(np.asarray(p.tolist(), dtype=float).reshape(p.shape), dtype)])
    return run


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", SHORT)
def test_torch_fused_is_within_the_bound(name: str, dtype: str) -> None:
    probe = round_probe(PROBES[name], dtype)
    run, _ = torch_run(probe, dtype, fused=True)
    result = judge(ADAMW, probe, dtype, run)
    assert (result.status, result.undecided) == ("passed", 0)
    assert result.worst_ratio > 0.1, "the bound is too wide to say anything"


@pytest.mark.parametrize("dtype", NARROW)
def test_torch_for_loop_computes_in_the_parameters_dtype(dtype: str) -> None:
    """What NUM.1 says of it; the bound is tight enough to see it."""
    probe = round_probe(PROBES["EPS.1/beside-small-root"], dtype)
    run, _ = torch_run(probe, dtype, foreach=False)
    assert judge(ADAMW, probe, dtype, run).status == "failed"


@pytest.mark.parametrize(
    ("library", "moments", "dtype"), some(product(["torch", "jax"], [None, "float32"], NARROW), 5)
)
def test_own_backends_are_within_the_bound(library: str, moments: str | None, dtype: str) -> None:
    ratios = []
    for name in SHORT[:2]:
        probe = round_probe(PROBES[name], dtype)
        adam = Adam(decay="decoupled", moment_dtype=moments, **probe.hyper)  # type: ignore[arg-type]

        def array(x: FloatArray | None) -> Any:
            if library == "torch":
                return torch.tensor(x, dtype=getattr(torch, dtype))
            return jnp.asarray(x, dtype=dtype)

        run = own_run(adam, array(probe.params[0]), [array(s.grads[0]) for s in probe.steps], dtype)
        result = judge(Adam(decay="decoupled", moment_dtype=moments), probe, dtype, run)
        assert result.status == "passed", (name, result)
        ratios.append(result.worst_ratio)
    assert max(ratios) > 0.3


def stored_run(claim: Adam, name: str, library: str, dtype: str) -> tuple[Probe, Run]:
    """One of our backends on a probe, with the claim's storage of parameters."""
    probe = round_probe(PROBES[name], dtype)
    adam = dataclasses.replace(claim, **probe.hyper)  # type: ignore[arg-type]
    grads = [storage_runs.array(library, s.grads[0], dtype) for s in probe.steps]
    p, state, run = storage_runs.array(library, probe.params[0], dtype), None, Run()
    for g in grads:
        p, state = adam.step(p, g, adam.init(p) if state is None else state)
        run.params.append([to_carrier(storage_runs.numbers(p).astype(float), dtype)])
    return probe, run


EACH = [(library, *case) for case in storage_runs.CASES for library in storage_runs.LIBRARIES]


@pytest.mark.parametrize(("library", "policy", "dtype"), some(EACH, 11))
def test_every_storage_is_within_its_bound(library: str, policy: Any, dtype: str) -> None:
    claim = Adam(decay="decoupled", moment_dtype="float32", p_storage=policy)
    ratios = []
    for name in SHORT[:3]:
        probe, run = stored_run(claim, name, library, dtype)
        result = judge(claim, probe, dtype, run)
        assert (result.status, result.undecided) == ("passed", 0), (name, result)
        ratios.append(result.worst_ratio)
    assert 0.1 < max(ratios) <= 1.0, "the bound is too wide to say anything"


@pytest.mark.parametrize("policy", ["master", "split", "split8", "kahan"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_plain_parameter_is_no_master(policy: Any, dtype: str) -> None:
    """Sixty steps whose roundings add up: the claim of a policy refuses them."""
    if (policy, dtype) == ("split8", "float16"):
        pytest.skip("no such policy")
    hyper = {"lr": 0.1, "b1": 0.9, "b2": 0.9, "eps": 1e-3, "weight_decay": 0.0}
    start = (np.array([0.75, -0.5, 0.3]),)
    probe = round_probe(Probe("MOM.2/sixty", "", start, moving(16, 60, (3,)), hyper), dtype)
    p = storage_runs.array("numpy", probe.params[0], dtype)
    grads = [storage_runs.array("numpy", s.grads[0], dtype) for s in probe.steps]
    for ours, status in ((policy, "passed"), ("plain", "failed")):
        adam = Adam(**hyper, moment_dtype="float32", p_storage=ours)  # type: ignore[arg-type]
        run = own_run(adam, p, grads, dtype)
        result = judge(Adam(moment_dtype="float32", p_storage=policy), probe, dtype, run)
        assert (result.status, result.undecided) == (status, 0)
        assert result.worst_ratio > (0.7 if status == "passed" else 3.0)


def test_float16_in_numpy() -> None:
    probe = round_probe(PROBES["STEP.1/fingerprint"], "float16")
    adam = Adam(decay="decoupled", **probe.hyper)  # type: ignore[arg-type]
    grads = [np.asarray(s.grads[0], dtype=np.float16) for s in probe.steps]
    run = own_run(adam, np.asarray(probe.params[0], dtype=np.float16), grads, "float16")
    assert judge(ADAMW, probe, "float16", run).status == "passed"


def test_moments_in_float32_narrow_the_bound() -> None:
    probe = round_probe(PROBES["EPS.2/comparable"], "bfloat16")
    narrow, wide = (
        bounds(adam_for(Adam(moment_dtype=m), probe), probe, "bfloat16").steps[-1][0][0].p
        for m in (None, "float32")
    )
    assert (wide < narrow).all()


@pytest.mark.parametrize(
    ("claim", "ours", "status"),
    [
        (Adam(m_dtype="bfloat16"), {"m_dtype": "bfloat16"}, "passed"),
        (Adam(v_dtype="bfloat16"), {"v_dtype": "bfloat16"}, "passed"),
        (Adam(), {"m_dtype": "bfloat16"}, "failed"),
        (Adam(v_dtype="bfloat16"), {"m_dtype": "bfloat16"}, "failed"),
    ],
)
def test_one_narrow_moment(claim: Adam, ours: dict[str, str], status: str) -> None:
    probe = round_probe(PROBES["STEP.1/fingerprint"], "float32")
    adam = Adam(decay="decoupled", **probe.hyper, **ours)  # type: ignore[arg-type]
    grads = [torch.tensor(s.grads[0], dtype=torch.float32) for s in probe.steps]
    run = own_run(adam, torch.tensor(probe.params[0], dtype=torch.float32), grads, "float32")
    result = judge(dataclasses.replace(claim, decay="decoupled"), probe, "float32", run)
    assert result.status == status, result
    assert status == "failed" or result.worst_ratio > 0.1, "the bound is too wide to say anything"


def test_optax_rounds_m_as_mom_4_says() -> None:
    """optax.adamw(mu_dtype=) is judged by the claim of its m_dtype, and by no other."""
    probe = round_probe(PROBES["STEP.1/fingerprint"], "float32")
    h = probe.hyper
    tx = optax.adamw(
        h["lr"], h["b1"], h["b2"], h["eps"], weight_decay=h["weight_decay"], mu_dtype=jnp.bfloat16
    )
    p, run = jnp.asarray(probe.params[0], dtype=jnp.float32), Run()
    state = tx.init(p)
    for step in probe.steps:
        updates, state = tx.update(jnp.asarray(step.grads[0], dtype=jnp.float32), state, p)
        p = optax.apply_updates(p, updates)
        run.params.append([np.asarray(p)])
    claim: dict[str, Any] = {"decay": "decoupled", "coefficients": "working"}
    assert judge(Adam(**claim, m_dtype="bfloat16"), probe, "float32", run).status == "passed"
    assert judge(Adam(**claim), probe, "float32", run).status == "failed"
    assert judge(Adam(**claim, v_dtype="bfloat16"), probe, "float32", run).status == "failed"


def test_narrow_moments_are_another_claim() -> None:
    """float32 parameters, bfloat16 moments: right if it is said, wrong if it is not."""
    probe = round_probe(PROBES["DEC.5/order"], "bfloat16")
    adam = Adam(decay="decoupled", moment_dtype="bfloat16", **probe.hyper)  # type: ignore[arg-type]
    p, *grads = (torch.tensor(x) for x in (probe.params[0], *(s.grads[0] for s in probe.steps)))
    run = own_run(adam, p.float(), [g.float() for g in grads], "float32")
    said = judge(Adam(decay="decoupled", moment_dtype="bfloat16"), probe, "float32", run)
    assert said.status == "passed"
    assert said.worst_ratio > 0.1
    assert judge(ADAMW, probe, "float32", run).status == "failed"


@pytest.mark.parametrize("dtype", NARROW)
def test_120_steps_restarted_each_from_its_own_state(dtype: str) -> None:
    hyper = {"lr": 0.0625, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.03125}
    probe = round_probe(Probe("MOM.2/long", "", (numbers(15, 3),), moving(16, 120, (3,)), hyper), dtype)
    run, snapshots = torch_run(probe, dtype, fused=True)
    whole = judge(ADAMW, probe, dtype, run)
    assert (whole.status, whole.undecided) == ("passed", 0), "each step begins at what the candidate stored"
    steps = judge_step_by_step(ADAMW, probe, dtype, run, snapshots)
    assert (steps.status, steps.undecided) == ("passed", 0)
    assert steps.worst_ulp < 0.51

    run.params[100][0][1] += 4 * ulp_of(run.params[100][0][1], dtype)
    wrong = judge_step_by_step(ADAMW, probe, dtype, run, snapshots)
    assert wrong.status == "failed"
    assert wrong.evidence is not None
    assert (wrong.evidence.step, wrong.evidence.element) == (101, "0[1]")


def random_roundings(seed: int, probe: Probe, dtype: str, dtypes: tuple[str, str]) -> Iterator[FloatArray]:
    """AdamW in float32, the stored values pushed up or down by a full half ULP at random."""
    rng, h = np.random.default_rng(seed), probe.hyper
    p = probe.params[0].astype(np.float32)
    m = v = np.zeros_like(p)

    def off(x: FloatArray, name: str) -> FloatArray:
        half = 2.0 ** -DTYPES[name].bits * rng.choice([-1.0, 1.0], size=x.shape)
        return (x * (1.0 + half)).astype(np.float32)

    for t, step in enumerate(probe.steps, start=1):
        g = np.asarray(step.grads[0], dtype=np.float32)
        m = np.float32(h["b1"]) * m + np.float32(1 - h["b1"]) * g
        v = np.float32(h["b2"]) * v + np.float32(1 - h["b2"]) * g * g
        step_m = np.float32(h["lr"] / (1 - h["b1"] ** t))
        root = np.sqrt(v / np.float32(1 - h["b2"] ** t))
        p = p - np.float32(h["lr"] * h["weight_decay"]) * p - step_m * m / (root + np.float32(h["eps"]))
        p, m, v = off(p, dtypes[0]), off(m, dtypes[1]), off(v, dtypes[1])
        yield p


@pytest.mark.parametrize(
    "dtypes", [("bfloat16", "bfloat16"), ("float16", "float16"), ("bfloat16", "float32")]
)
def test_no_choice_of_roundings_leaves_the_bound(dtypes: tuple[str, str]) -> None:
    probe = round_probe(Probe("test/random", "", (numbers(1, 16),), moving(2, 8, (16,)), ODD), dtypes[0])
    adam = adam_for(Adam(decay="decoupled", moment_dtype=dtypes[1]), probe)
    walk, limit = exact(adam, probe), bounds(adam, probe, dtypes[0])
    largest = 0.0
    for seed in range(40):
        for p, values, limits in zip(
            random_roundings(seed, probe, dtypes[0], dtypes), walk.steps, limit.steps, strict=True
        ):
            largest = max(largest, float(np.max(np.abs(values[0][0].error_of(p)) / limits[0][0].p)))
    assert 0.3 < largest < 1.0
