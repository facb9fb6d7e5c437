"""Causes: what they explain, and which failures follow from them besides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import score
from plain_adam import ADAMW, runs_and_results
from register import ITEMS

from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Finding
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.causes import axis_findings, best_cause, fold
from adamcore.conformance.verdict.diagnose import diagnose
from adamcore.conformance.verdict.judge import judge


def test_a_failure_follows_from_a_cause_only_where_the_cause_acts() -> None:
    runs, results = runs_and_results(ADAMW, after=True)
    case = Case(ADAMW, runs, results, False, PROBES)
    cause = best_cause(case, case.failures())
    assert cause is not None
    assert [f.observed for f in cause.findings] == ["decay_order=after"]
    there = next(r for r in results if r.probe == "DEC.5/order")
    without_decay = next(r for r in results if PROBES[r.probe].hyper["weight_decay"] == 0)
    assert cause.leads_to(case, there)
    assert not cause.leads_to(case, without_decay)


def test_what_follows_is_below_the_cause_and_the_rest_is_not() -> None:
    runs, results = runs_and_results(ADAMW, after=True)
    for name in ("DEC.5/order", "NUM.4/near-one"):
        runs[name, "float64"].params[-1][0] = runs[name, "float64"].params[-1][0] + 0.25
    spoiled = [
        replace(r, status="failed", reason="parameter 0[0] leaves the bound in step 3")
        if (r.probe, r.dtype) in (("DEC.5/order", "float64"), ("NUM.4/near-one", "float64"))
        else r
        for r in results
    ]
    errors = [f for f in diagnose(ADAMW, runs, spoiled) if f.level == "error"]
    assert [(f.rule, [below.rule for below in f.folded]) for f in errors] == [
        ("DEC.5", ["DEC.5"]),
        ("NUM.4", []),
    ]
    assert all(np.isfinite(f.evidence.ulp) for f in errors if f.evidence)


def test_beside_a_v_that_the_claim_does_not_correct_eps_has_one_place() -> None:
    claim = replace(ADAMW, bias_correction="none")
    other = replace(ADAMW, epsilon="outside-uncorrected")
    _, results = runs_and_results(ADAMW)
    [found] = axis_findings(claim, other, results[:1], PROBES)
    assert (found.area, found.rule) == ("bias_correction", "BC.1")
    inside = replace(other, epsilon="inside-corrected")
    assert [f.area for f in axis_findings(claim, inside, results[:1], PROBES)] == [
        "epsilon",
        "bias_correction",
    ]


def test_a_look_ahead_comes_first() -> None:
    other = replace(ADAMW, epsilon="outside-uncorrected", nesterov="dozat")
    _, results = runs_and_results(ADAMW)
    assert [f.area for f in axis_findings(ADAMW, other, results[:1], PROBES)] == ["nesterov", "epsilon"]


def test_an_error_that_a_missing_gradient_should_raise_is_one_finding() -> None:
    claim = replace(ADAMW, missing="error", clock="global", all_missing="error")
    other = replace(claim, missing="skip", all_missing="hold")
    _, results = runs_and_results(ADAMW)
    [found] = axis_findings(claim, other, results[:1], PROBES)
    assert (found.rule, [f.rule for f in found.folded]) == ("F1", ["CLK.4"])


def test_what_is_folded_is_flat() -> None:
    inner = Finding("decay", "DEC.1", "", "", folded=[Finding("epsilon", "EPS.1", "", "")])
    folded = fold(Finding("moments", "MOM.1", "", ""), [inner]).folded
    assert [(f.rule, f.folded) for f in folded] == [("DEC.1", [])]


def off_by(share: float, first: int = 0) -> list[str]:
    """Return what is said of an AdamW whose float64 runs are off by a share of each number from a step on."""
    runs, _ = runs_and_results(ADAMW)
    for (_, dtype), made in runs.items():
        if dtype == "float64":
            made.params[:] = [
                [p * (1 + share * (-1) ** s * (s >= first)) for p in step]
                for s, step in enumerate(made.params)
            ]
    results = [judge(ADAMW, PROBES[name], dtype, made) for (name, dtype), made in runs.items()]
    return [found.observed for found in diagnose(ADAMW, runs, results)]


def test_what_is_too_exact_for_float32_was_not_stepped_in_it() -> None:
    said = "float64 is stepped in float32"
    assert said in off_by(2.0**-25)
    assert said not in off_by(2.0**-40)
    assert said not in off_by(2.0**-25, first=1)


def test_powers_of_rounded_factors_are_named() -> None:
    """Late clocks tell them from powers of double precision; in float32 nothing does."""
    score.load(["third_blind_f"])
    squarings = replace(
        ITEMS["tests/corpus/third_blind_f.py:ThirdRightSquarings"], claim="torch.AdamW", options={}
    )
    late = ("STEP.1/fingerprint", "STEP.1/late-burst", "BC.1/t1e6", "CLK.3/beyond-2**24")
    found = [f for f in score.entry(squarings, late).findings if f.level == "error"]
    assert [(f.area, f.rule, f.observed) for f in found] == [
        ("coefficients", "NUM.4", "coefficients=running")
    ]
