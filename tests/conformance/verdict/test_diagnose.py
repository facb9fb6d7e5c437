"""The diagnosis of array Adams, right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_adam import ADAMW, Change, runs_and_results

from adamcore.conformance.faults import FAULTS, NOT_MEASURED
from adamcore.conformance.faults.hyperparameters import HYPERPARAMETERS
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import AFTER_OTHERS, UNTIL_CHANGED
from adamcore.conformance.types import Evidence, Finding, Result, Run
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.causes import Cause
from adamcore.conformance.verdict.diagnose import (
    area_in,
    as_precision,
    count_finding,
    diagnose,
    dtype_alone,
    handling_findings,
    is_beside,
    with_evidence,
)
from adamcore.conformance.verdict.judge import judge


def test_a_right_adam_has_no_findings() -> None:
    runs, results = runs_and_results(ADAMW)
    assert diagnose(ADAMW, runs, results) == []


@pytest.mark.parametrize(
    ("change", "area", "rule", "observed"),
    [
        ({"eps": "inside"}, "epsilon", "EPS.1", "epsilon=inside-corrected"),
        ({"decay": "l2"}, "decay", "DEC.2", "decay=l2"),
        ({"after": True}, "decay", "DEC.5", "decay_order=after"),
        ({"absent": "zero"}, "missing", "F1", "missing=zero"),
        ({"nan": "replaced"}, "nonfinite", "NF.1", "leaves the bound"),
    ],
)
def test_a_wrong_adam_is_told_what_is_wrong(change: Change, area: str, rule: str, observed: str) -> None:
    runs, results = runs_and_results(ADAMW, **change)
    first = diagnose(ADAMW, runs, results)[0]
    assert (first.area, first.rule, first.level) == (area, rule, "error")
    assert observed in first.observed
    assert first.evidence is not None


def test_two_things_wrong_are_both_named() -> None:
    runs, results = runs_and_results(ADAMW, eps="inside", after=True)
    found = diagnose(ADAMW, runs, results)
    assert [f.area for f in found if f.level == "error"] == ["epsilon", "decay"]


def test_an_output_of_another_shape_goes_before_an_input_written_to() -> None:
    written = Result("STEP.1/shapes", "float32", "failed", reason="wrote to its input: gradient 0 in step 1")
    shape = Result(
        "STEP.1/shapes", "float32", "failed", reason="parameter 0 after step 1: came back with shape ()"
    )
    assert [f.area for f in handling_findings([written])] == ["aliasing"]
    assert [f.area for f in handling_findings([written, shape])] == ["layout"]
    assert handling_findings([]) == []


@pytest.mark.parametrize(("after", "order"), [(True, ["decay", "closure"]), (False, ["closure"])])
def test_what_some_calls_alone_show_goes_behind_what_all_steps_show(after: bool, order: list[str]) -> None:
    """Many an optimizer never calls a closure; that its weights decay otherwise is the news."""
    runs, _ = runs_and_results(ADAMW, after=after)
    runs["F1/absent-middle", "float32"].closure.append("called its closure 0 times in step 1")
    results = [judge(ADAMW, PROBES[probe], dtype, run) for (probe, dtype), run in runs.items()]
    assert [f.area for f in diagnose(ADAMW, runs, results) if f.level == "error"] == order


def test_clocks_in_another_order_are_a_matter_of_the_state() -> None:
    """Of parameters that are right, no clock is another."""
    runs, _ = runs_and_results(ADAMW)
    run, probe = runs["F1/absent-middle", "float32"], PROBES["F1/absent-middle"]
    run.clocks[:] = [clocks[::-1] for clocks in exact(ADAMW, probe).clocks]
    result = judge(ADAMW, probe, "float32", run)
    assert (result.status, area_in(result)) == ("failed", "state")
    run.clocks[:] = [[7, 8] for _ in run.params]
    assert area_in(judge(ADAMW, probe, "float32", run)) != "state"


def test_clocks_that_are_wrong_in_a_state_alone_are_one_finding() -> None:
    runs, _ = runs_and_results(ADAMW)
    for (probe, _), run in runs.items():
        run.clocks = [[-1 for _ in PROBES[probe].params] for _ in run.params]
    results = [judge(ADAMW, PROBES[probe], dtype, run) for (probe, dtype), run in runs.items()]
    found = count_finding(Case(ADAMW, runs, results, False, PROBES), results)
    assert found is not None
    assert (found.area, found.rule) == ("clock", "STATE.1")
    assert found.observed.endswith("though steps are as claimed")
    moved = Result(
        "STEP.1/fingerprint", "float32", "failed", reason="parameter 0[0] leaves the bound in step 1"
    )
    assert count_finding(Case(ADAMW, runs, results, False, PROBES), [*results, moved]) is None


def test_a_failure_that_nothing_explains_is_named_by_the_rule_of_its_probe() -> None:
    runs, results = runs_and_results(ADAMW)
    runs["DEC.5/order", "float64"].params[2][0][1] += 0.25
    result = next(r for r in results if (r.probe, r.dtype) == ("DEC.5/order", "float64"))
    failed = replace(result, status="failed", reason="parameter 0[1] leaves the bound in step 3")
    [found] = diagnose(ADAMW, runs, [failed if r is result else r for r in results])
    assert (found.area, found.rule, found.expected) == ("decay", "DEC.5", PROBES["DEC.5/order"].about)


def test_coefficients_less_exact_than_double_are_a_note_where_the_claim_allows_them() -> None:
    claim = replace(ADAMW, coefficients="working")
    runs, results = runs_and_results(claim)
    after = runs["NUM.4/near-one", "float32"].params
    after[:] = [[np.asarray(p * np.float32(1 + 2e-5)) for p in step] for step in after]
    [note] = diagnose(claim, runs, results)
    assert (note.level, note.area, note.rule) == ("note", "coefficients", "NUM.4")


def test_a_run_that_the_claim_does_not_allow_says_nothing_of_the_digits_of_coefficients() -> None:
    claim = replace(ADAMW, coefficients="working")
    runs, results = runs_and_results(claim, eps="inside")
    assert [f.rule for f in diagnose(claim, runs, results)] == ["EPS.1"]


def test_coefficients_that_the_claim_allows_are_not_why_another_probe_fails() -> None:
    measured = Finding("coefficients", "NUM.4", "as claimed", "with b1=0.9999 a step is off by up to 0.0002")
    runs, results = runs_and_results(ADAMW)
    runs["DEC.5/order", "float64"].params[2][0][1] += 0.25
    result = next(r for r in results if (r.probe, r.dtype) == ("DEC.5/order", "float64"))
    failed = replace(result, status="failed", reason="parameter 0[1] leaves the bound in step 3")
    given = [failed if r is result else r for r in results]
    rules = []
    for precision in ("working", "double"):
        claim = replace(ADAMW, coefficients=precision)
        found = diagnose(claim, runs, given, measured=measured, is_measured=True)
        rules.append([f.rule for f in found if f.level == "error"])
    assert rules == [["DEC.5"], ["NUM.4"]]


def test_what_was_measured_is_the_finding_where_there_is_no_cause() -> None:
    measured = Finding("moments", "MOM.1", "as claimed", "weights of m go down by 0.95 a step")
    results, runs = [], {}
    for name in ("STEP.1/fingerprint", "BC.1/first-steps"):
        run = Run(params=[[p * 0.75 + 0.011 for p in PROBES[name].params] for _ in PROBES[name].steps])
        runs[name, "float64"] = run
        results.append(judge(ADAMW, PROBES[name], "float64", run))
    [found] = diagnose(ADAMW, runs, results, measured=measured)
    assert (found.area, found.observed) == (measured.area, measured.observed)
    assert found.evidence is not None
    assert {below.rule for below in found.folded} == {"STEP.1", "BC.1"}


def test_a_known_fault_of_another_area_than_was_measured_is_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[set[str]] = []

    def best_cause(
        case: Any, failures: Any, identification: Any, catalogue: Sequence[Fault], area: str | None
    ) -> None:
        tried.append({fault.area for fault in catalogue})

    monkeypatch.setattr("adamcore.conformance.verdict.diagnose.best_cause", best_cause)
    runs, results = runs_and_results(ADAMW, eps="inside")
    measured = Finding("epsilon", "EPS.1", "as claimed", "eps stands under the root")
    found = diagnose(ADAMW, runs, results, measured=measured, is_measured=True)
    assert [f.observed for f in found] == [measured.observed]
    diagnose(ADAMW, runs, results, is_measured=True)
    diagnose(ADAMW, runs, results)  # as of a recording
    known = {fault.area for fault in FAULTS}
    unmeasured = known & set(NOT_MEASURED) | {fault.area for fault in HYPERPARAMETERS}
    assert tried == [unmeasured | {"epsilon"}, unmeasured, known]


def test_what_holds_in_float32_alone_is_a_matter_of_precision() -> None:
    measured = Finding("moments", "STEP.1", "as claimed", "two impulses give 1.015 times their sum")
    runs, _ = runs_and_results(ADAMW)
    for (_, dtype), run in runs.items():
        if dtype == "float32":
            run.params[:] = [[p * np.float32(0.75) + np.float32(0.011) for p in step] for step in run.params]
    results = [judge(ADAMW, PROBES[name], dtype, run) for (name, dtype), run in runs.items()]
    open_too = next(k for k, r in enumerate(results) if r.dtype == "float64")  # tells nothing of float64
    for given in (
        results,
        [replace(r, status="undecided") if k == open_too else r for k, r in enumerate(results)],
    ):
        found = diagnose(ADAMW, runs, given, measured=measured)[0]
        assert (found.area, found.rule) == ("mixed_precision", "NUM.1")
        assert found.observed == f"in float32 alone {measured.observed}"


def test_what_is_around_the_arithmetic_keeps_its_area_in_one_dtype() -> None:
    """A path for float32 alone may give every group one decay."""
    measured = Finding("groups", "LR.4", "as claimed", "a parameter group does not get its own weight_decay")
    kept, ignored = (as_precision(each, "float32") for each in (measured, replace(measured, area="moments")))
    assert (kept.area, kept.rule, ignored.area) == ("groups", "LR.4", "mixed_precision")
    assert kept.observed == ignored.observed == f"in float32 alone {measured.observed}"


def test_what_is_done_to_an_array_makes_no_run_depend_on_those_before_it() -> None:
    still = Cause([], [], fault=next(f for f in FAULTS if f.observed == "matrices do not move"))
    assert is_beside(still, Finding("isolation", "STATE.3", "", AFTER_OTHERS))
    assert not is_beside(still, Finding("isolation", "STATE.3", "", "a step is twice as large"))


def test_equal_elements_that_go_different_ways_have_no_other_hyperparameter() -> None:
    ignored = next(f for f in FAULTS if f.observed.startswith("weight_decay is ignored"))
    cause = Cause([], [], fault=ignored)
    assert is_beside(cause, Finding("layout", "STEP.1", "", ""))
    assert is_beside(cause, Finding("schedule", "LR.1", "", UNTIL_CHANGED))
    assert not is_beside(cause, Finding("schedule", "LR.1", "", ""))
    assert not is_beside(cause, Finding("decay", "DEC.2", "", ""))


def test_steps_with_all_their_digits_were_not_made_in_float32() -> None:
    coefficients = Finding("coefficients", "NUM.4", "", "corrections and weights are off by up to 3e-08")
    whole, powers = (
        Cause([], [], fault=next(f for f in FAULTS if f.name == name))
        for name in ("all-float32", "all-float32-power")
    )
    assert is_beside(whole, coefficients)
    assert is_beside(
        whole, Finding("hyperparameters", "NUM.4", "", "b1 is 0.800000011921 where 0.8 was given")
    )
    assert not is_beside(powers, coefficients)


def test_no_value_on_an_axis_makes_runs_depend_on_each_other() -> None:
    other = Cause([], [], other=replace(ADAMW, bias_correction="none"))
    assert is_beside(other, Finding("isolation", "STATE.3", "", ""))
    assert not is_beside(other, Finding("bias_correction", "BC.1", "", ""))


def test_what_raised_is_not_shown_by_the_numbers_of_another_rule() -> None:
    absent = Finding("missing", "F1", "p stands still", "it raised TypeError")
    seen = Evidence("CPX.1/complex", 1, "0[1]", "0x1.8p-1", "0x1.0p-1", 40.0, 4.0)
    other = Result("CPX.1/complex", "float32", "failed", evidence=seen)
    raised = Result("F1/absent-middle", "float32", "failed", reason="raised in step 2: TypeError")
    assert with_evidence(absent, [other, raised]).evidence is None
    assert with_evidence(absent, [other]).evidence == seen
    moved = replace(raised, evidence=replace(seen, probe="F1/absent-middle"))
    assert with_evidence(absent, [other, moved, raised]).evidence == moved.evidence


def test_what_is_run_in_one_dtype_is_no_matter_of_that_dtype() -> None:
    passed = [Result("STEP.1/fingerprint", dtype, "passed") for dtype in ("float32", "float64")]
    drawn = Result("STEP.1/history-8", "float64", "failed", worst_ratio=2.0**40)
    both = [
        Result("STEP.1/strided", "float32", "passed"),
        Result("STEP.1/strided", "float64", "failed", worst_ratio=2.0**40),
    ]
    assert dtype_alone(Case(ADAMW, {}, [*passed, drawn], False, PROBES), [drawn]) is None
    assert dtype_alone(Case(ADAMW, {}, [*passed, *both], False, PROBES), [both[1]]) == "float64"
    assert dtype_alone(Case(ADAMW, {}, [*passed, *both, drawn], False, PROBES), [both[1], drawn]) == "float64"
