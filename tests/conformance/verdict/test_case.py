"""The questions that a diagnosis asks of a case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from plain_adam import ADAMW, run, runs_and_results

from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.judge import judge, judge_twin


def case(**change: object) -> Case:
    runs, results = runs_and_results(ADAMW, **change)
    return Case(ADAMW, runs, results, False, PROBES)


def fault(name: str) -> Fault:
    [found] = [f for f in FAULTS if f.name == name]
    return found


def test_failures_come_with_the_required_and_shortest_first() -> None:
    wrong = case(eps="inside")
    order = [(wrong.probe(r).level, r.evidence is None, len(wrong.probe(r).steps)) for r in wrong.failures()]
    assert order == sorted(order)
    assert len(order) > 4
    assert case().failures() == []


def test_another_claim_passes_what_fails_and_breaks_what_passed() -> None:
    wrong, inside = case(eps="inside"), replace(ADAMW, epsilon="inside-corrected")
    assert all(wrong.passes(inside, r) for r in wrong.failures())
    assert not wrong.breaks(inside)
    assert case().breaks(inside)


def test_no_claim_explains_bits_that_are_not_those_of_a_twin() -> None:
    """Such a run has passed by itself, so that it passes under many claims."""
    probe = PROBES["STATE.4/resumed"]
    resumed = run(probe, "float32", {})
    passed = judge(ADAMW, probe, "float32", resumed)
    other = replace(
        resumed, params=[[np.nextafter(p, np.float32(1)) for p in step] for step in resumed.params]
    )
    failed = judge_twin(passed, probe, resumed, other)
    seen = Case(ADAMW, {(probe.name, "float32"): resumed}, [failed], False, PROBES)
    everywhere = replace(ADAMW, clock="global")
    assert (passed.status, failed.status) == ("passed", "failed")
    assert seen.passes(everywhere, passed)
    assert not seen.passes(everywhere, failed)


def test_a_probe_that_does_not_apply_to_a_claim_does_not_pass_under_it() -> None:
    plain = case()
    probes = {**PROBES, "DEC.1/coupling": replace(PROBES["DEC.1/coupling"], needs={"decay": ("l2",)})}
    [result, *_] = [r for r in plain.results if r.probe == "DEC.1/coupling"]
    assert not replace(plain, probes=probes).passes(ADAMW, result)


def test_what_goes_wrong_in_the_first_step_is_no_matter_of_what_was_kept() -> None:
    inside, everywhere = replace(ADAMW, epsilon="inside-corrected"), replace(ADAMW, clock="global")
    first, later = case(eps="inside").failures(), case(clock="global").failures()
    assert all(r.evidence and r.evidence.step == 1 for r in first)
    assert not any(case(eps="inside").may_keep_as(inside, r) for r in first)
    assert later
    assert all(case(clock="global").may_keep_as(everywhere, r) for r in later)
    assert not any(case(clock="global").may_keep_as(inside, r) for r in later)


def test_a_run_that_passed_contradicts_a_fault_that_would_show_in_it() -> None:
    plain = case()
    [result, *_] = [r for r in plain.results if r.probe == "DEC.1/coupling"]
    assert plain.contradicts(fault("betas-swapped"), result)
    assert not plain.contradicts(fault("v-floor-1e-30"), result)
    assert not plain.looks_like(fault("betas-swapped"), result)


def test_numbers_that_float32_does_not_have_contradict_steps_in_it() -> None:
    plain = case()
    double, single = (
        next(r for r in plain.results if (r.probe, r.dtype) == ("DEC.1/coupling", dtype))
        for dtype in ("float64", "float32")
    )
    assert plain.contradicts(fault("all-float32"), double)
    assert not plain.contradicts(fault("all-float32"), single)


def test_ratios_have_a_row_for_each_step_and_are_infinite_after_an_error() -> None:
    plain = case()
    [result, *_] = [r for r in plain.results if (r.probe, r.dtype) == ("DEC.1/coupling", "float64")]
    ratios = plain.ratios(result)
    assert ratios is not None
    assert ratios.shape == (6, 3)
    assert ratios.max() < 1.0
    del plain.run(result).params[4:]
    cut = plain.ratios(result)
    assert cut is not None
    assert np.isinf(cut[4:]).all()
    np.testing.assert_array_equal(cut[:4], ratios[:4])
