"""The probes of storage show what they say: steps that are lost without a policy, and values anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.kernels.llvm import switched_off
from adamcore.conformance.candidates.own import OwnCandidate, library_for
from adamcore.conformance.dtypes import round_probe, round_to, ulp_of
from adamcore.conformance.oracle.kept import neighbours
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.storage import KEPT
from adamcore.conformance.verdict.diagnose import diagnose
from adamcore.conformance.verdict.judge import judge

CLAIM = Adam(decay="decoupled", p_storage="split")


def test_short_steps_are_shorter_than_half_a_distance_and_add_up() -> None:
    probe = round_probe(PROBES["STORE.1/short-steps"], "bfloat16")
    model = float_trajectory(adam_for(CLAIM, probe), probe, None)
    assert model is not None
    for i, p in enumerate(probe.params):
        path = np.array([p.ravel(), *(step[i][0] for step in model.steps)])
        distance = ulp_of(path[0], "bfloat16")
        assert (np.abs(np.diff(path, axis=0)) < 0.5 * distance).all()
        assert (np.abs(path[-1] - path[0]) > 3 * distance).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_values_to_be_rounded_lie_anywhere_between_two_numbers(dtype: str) -> None:
    probe = round_probe(PROBES["STORE.6/random"], dtype)
    model = float_trajectory(adam_for(CLAIM, probe), probe, None)
    assert model is not None
    x = np.concatenate([part[0] for part in model.steps[3]])
    low, high = neighbours(x, dtype)
    parts = np.histogram((x - low) / (high - low), bins=4, range=(0, 1))[0] / x.size
    assert parts.min() > 0.1
    assert np.all((round_to(x, dtype) == low) | (round_to(x, dtype) == high))


def test_they_are_for_parameters_that_are_kept() -> None:
    chosen = [p for p in PROBES.values() if "p_storage" in p.needs]
    assert [p.applies_to(Adam()) for p in chosen] == [False, False]
    for policy in KEPT:
        claim = Adam(p_storage=policy)  # type: ignore[arg-type]
        assert [p.applies_to(claim) for p in chosen] == [True, policy == "stochastic"]


def test_some_v_move_by_less_than_half_the_distance_of_two_numbers() -> None:
    """Rounding to the nearest leaves them where they are."""
    probe = round_probe(PROBES["STORE.16/random"], "bfloat16")
    b2, v, stays = probe.hyper["b2"], np.zeros(1024), []
    for step in probe.steps:
        g = step.grads[0]
        assert g is not None
        new = b2 * v + (1 - b2) * g * g
        kept = round_to(new, "bfloat16")
        stays.append(float(((kept == v) & (new != v)).mean()))
        v = kept
    assert min(stays[-6:]) > 0.04
    claims = [Adam(v_storage="stochastic"), Adam(m_storage="stochastic"), Adam(p_storage="stochastic")]
    assert [probe.applies_to(claim) for claim in claims] == [True, False, False]


def test_probes_of_moments_in_8_bits() -> None:
    chosen = [p for p in PROBES.values() if "m_storage" in p.needs]
    assert [p.rule for p in chosen] == ["STORE.9", "STORE.15"]
    claim = Adam(m_storage="blockwise8", v_storage="blockwise8")
    assert all(p.applies_to(claim) and not p.applies_to(Adam()) for p in chosen)
    assert not any(p.applies_to(claim) for p in PROBES.values() if p.is_complex or p.start)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["companded8", "blockwise8"])
def test_moments_in_8_bits_of_ours_and_what_another_claim_says_of_them(policy: Any) -> None:
    """They conform to their claim, and are named where numbers are claimed."""
    claim = Adam(m_storage=policy, v_storage=policy)
    library = library_for("numpy")
    assert library is not None
    probes = {p.name: p for p in PROBES.values() if "m_storage" in p.needs}
    runs = {(name, "float32"): OwnCandidate(library, claim).run(p, "float32") for name, p in probes.items()}
    for (name, dtype), run in runs.items():
        assert judge(claim, probes[name], dtype, run).status == "passed"
    plain = [judge(Adam(), probes[name], dtype, run) for (name, dtype), run in runs.items()]
    assert {r.status for r in plain} == {"failed"}
    if policy == "blockwise8":
        found = diagnose(Adam(), runs, plain, probes=probes, is_measured=True)
        assert [(f.area, f.rule) for f in found] == [("storage", "STORE.9")]


@pytest.mark.slow
def test_a_v_that_becomes_0_beside_an_m_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in bitsandbytes and torchao: the step is thousands of times lr long."""
    from adamcore.storage import blockwise

    claim, probe = Adam(m_storage="blockwise8", v_storage="blockwise8"), PROBES["STORE.15/small-v"]
    library = library_for("numpy")
    assert library is not None
    rule = blockwise.encode

    def rounded(n: Any, x: Any, signed: bool) -> Any:
        codes, scales = rule(n, x, signed)
        return (codes if signed else np.where(codes == 1, 0, codes)), scales

    with monkeypatch.context() as patch, switched_off():
        patch.setattr(blockwise, "encode", rounded)
        run = OwnCandidate(library, claim).run(probe, "float32")
    result = judge(claim, probe, "float32", run)
    assert result.status == "failed"
    assert result.worst_ratio > 1e3
    runs = {(probe.name, "float32"): run}
    [found] = diagnose(claim, runs, [result], probes={probe.name: probe}, is_measured=True)
    assert (found.area, found.rule) == ("storage", "STORE.15")
    assert found.observed.endswith("leaves the bound in step 2 of STORE.15/small-v")


@pytest.mark.slow
def test_what_arrays_in_blocks_alone_show_follows_from_their_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in bitsandbytes, which takes for some numbers a code beside the nearest one."""
    from adamcore.storage import blockwise

    claim = Adam(m_storage="blockwise8", v_storage="blockwise8")
    probes = {name: PROBES[name] for name in ("STORE.9/blocks", "STEP.1/long", "STEP.1/fingerprint")}
    library = library_for("numpy")
    assert library is not None
    rule = blockwise.encode

    def beside(n: Any, x: Any, signed: bool) -> Any:
        codes, scales = rule(n, x, signed)
        return np.where(np.arange(codes.size).reshape(codes.shape) % 97 == 5, codes ^ 1, codes), scales

    with monkeypatch.context() as patch, switched_off():
        patch.setattr(blockwise, "encode", beside)
        runs = {
            (name, "float32"): OwnCandidate(library, claim).run(p, "float32") for name, p in probes.items()
        }
    results = [judge(claim, probes[name], dtype, run) for (name, dtype), run in runs.items()]
    assert [r.status for r in results] == ["failed", "failed", "passed"]
    [found] = diagnose(claim, runs, results, probes=probes, is_measured=True)
    assert (found.rule, [f.rule for f in found.folded]) == ("STORE.9", ["STEP.1"])
