"""Runs of 16-bit parameters with what the state keeps of them: values and rests are held to the bit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import storage_runs

from adamcore import Adam
from adamcore.conformance.candidates.own import OwnCandidate, library_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.rests import APART

CASES = [case for case in storage_runs.CASES if case[0] != "stochastic"]
NAME = "STORE.1/short-steps"


def run_of(policy: Any, dtype: str, **options: Any) -> tuple[Adam, Run]:
    library = library_for("numpy")
    assert library is not None
    claim = Adam(decay="decoupled", p_storage=policy, **options)
    run = OwnCandidate(library, claim).run(PROBES[NAME], dtype)
    assert run.error is None
    assert all(run.rests)
    return claim, run


@pytest.mark.parametrize(("policy", "dtype"), CASES)
def test_short_steps_are_held_to_the_bit(policy: Any, dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    claim, run = run_of(policy, dtype)
    result = judge(claim, PROBES[NAME], dtype, run)
    assert (result.status, result.undecided) == ("passed", 0), result
    assert result.worst_ulp < (1e-3 if policy in ("master", "split") else 0.02), "no error grows over steps"


@pytest.mark.parametrize(("policy", "dtype"), CASES)
def test_one_wrong_bit_of_a_rest_is_seen(policy: Any, dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    claim, run = run_of(policy, dtype, moment_dtype="float32")
    rest = run.rests[12][1]
    assert rest is not None
    if rest.dtype.kind == "i":
        rest[1, 2] += 8 if policy == "split" else 2
    else:
        rest[1, 2] *= np.asarray(1.125 if policy == "kahan" else 1 + 2.0**-12, dtype=rest.dtype)
    result = judge(claim, PROBES[NAME], dtype, run)
    assert result.status == "failed"
    assert result.evidence is not None
    assert (result.evidence.step, result.evidence.element) == (13, "1[1, 2]")


def test_a_parameter_that_is_not_its_rests_is_told() -> None:
    pytest.importorskip("ml_dtypes")
    claim, run = run_of("master", "bfloat16")
    run.params[9][0][0, 1] += np.float32(2.0**-7)
    result = judge(claim, PROBES[NAME], "bfloat16", run)
    assert result.status == "failed"
    assert result.reason.startswith(f"{APART}: parameter 0[0, 1] after step 10: p is ")


def test_a_rest_of_another_dtype_is_told() -> None:
    pytest.importorskip("ml_dtypes")
    claim, run = run_of("split", "bfloat16")
    run.rests = [[None if x is None else x.astype(np.float32) for x in rests] for rests in run.rests]
    assert judge(claim, PROBES[NAME], "bfloat16", run).reason.endswith(
        ": the rest of parameter 0 is in float32"
    )


def test_without_rests_the_trajectory_is_judged() -> None:
    """A candidate whose state cannot be read is held to the bound of its policy."""
    pytest.importorskip("ml_dtypes")
    claim, run = run_of("split", "bfloat16", moment_dtype="float32")
    run.rests = []
    assert judge(claim, PROBES[NAME], "bfloat16", run).status == "passed"
    plain = dataclasses.replace(claim, p_storage="plain")
    library = library_for("numpy")
    assert library is not None
    lost = OwnCandidate(library, plain).run(PROBES[NAME], "bfloat16")
    assert judge(claim, PROBES[NAME], "bfloat16", lost).status == "failed"
