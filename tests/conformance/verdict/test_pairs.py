"""Two runs that differ in one circumstance, of which one is right."""

from __future__ import annotations

import numpy as np
import pytest
from plain_adam import ADAMW, run

from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.pairs import PAIRS, PairFinding, pair_finding


def case(*wrong: str) -> Case:
    """AdamW's runs of all probes in pairs, with those of ``wrong`` spoiled."""
    names = {name for pair in PAIRS for name in (pair.right, pair.wrong, pair.unless) if name}
    runs = {(name, "float32"): run(PROBES[name], "float32", {}) for name in sorted(names)}
    for name in wrong:
        runs[name, "float32"].params[-1][0] = np.asarray(runs[name, "float32"].params[-1][0] * 1.5)
    results = [judge(ADAMW, PROBES[n], d, done) for (n, d), done in runs.items()]
    return Case(ADAMW, runs, results, False, PROBES)


def finding(seen: Case) -> PairFinding | None:
    return pair_finding(seen, seen.failures())


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.wrong))
def test_the_circumstance_is_named(pair: object) -> None:
    assert isinstance(pair, type(PAIRS[0]))
    found = finding(case(pair.wrong))
    assert found is not None
    assert (found.finding.area, found.finding.observed) == (pair.area, pair.observed)
    assert (found.right.probe, found.wrong.probe) == (pair.right, pair.wrong)


def test_nothing_is_said_where_both_are_wrong_or_both_right() -> None:
    assert finding(case()) is None
    assert finding(case("STEP.1/fingerprint", "STATE.3/again")) is None


def test_a_late_clock_that_is_wrong_alone_is_no_matter_of_other_arrays() -> None:
    seen = case("CLK.1/own-ages", "BC.1/t300")
    assert {r.probe for r in seen.failures()} == {"CLK.1/own-ages", "BC.1/t300"}
    assert finding(seen) is None


def test_clocks_that_are_shown_wrongly_in_both_are_no_difference() -> None:
    seen = case()
    for done in seen.runs.values():
        done.clocks[:] = [[0] * len(after) for after in done.params]
    results = [judge(ADAMW, PROBES[n], d, done) for (n, d), done in seen.runs.items()]
    shown = Case(ADAMW, seen.runs, results, False, PROBES)
    assert {r.status for r in results} == {"failed"}
    assert finding(shown) is None


def test_clocks_that_are_shown_in_another_order_are_no_clock_of_another_array() -> None:
    seen = case()
    done = seen.runs["CLK.1/own-ages", "float32"]
    ages = [start.t for start in PROBES["CLK.1/own-ages"].start]
    done.clocks[:] = [[age + t for age in reversed(ages)] for t in range(1, len(done.params) + 1)]
    results = [judge(ADAMW, PROBES[n], d, made) for (n, d), made in seen.runs.items()]
    assert [r.probe for r in results if r.status == "failed"] == ["CLK.1/own-ages"]
    assert finding(Case(ADAMW, seen.runs, results, False, PROBES)) is None


def test_the_probes_of_a_pair_have_the_same_numbers() -> None:
    for pair in PAIRS:
        right, wrong = PROBES[pair.right], PROBES[pair.wrong]
        assert right.hyper == wrong.hyper
        assert right.params is wrong.params
        for a, b in zip(right.steps, wrong.steps, strict=True):
            assert (a.lr, a.changes, a.before) == (b.lr, b.changes, b.before)
            assert a.grads is b.grads


def test_a_circumstance_leads_to_the_failures_of_probes_that_have_it() -> None:
    leads = {pair.wrong: {p for p, probe in PROBES.items() if pair.leads_to(probe)} for pair in PAIRS}
    assert leads["STATE.3/again"] == leads["STATE.4/uninterrupted"] == set(PROBES)
    designed = {name for name in leads["STATE.3/beside"] if not PROBES[name].drawn}
    assert designed == {"STATE.3/beside", "STATE.3/beside-absent", "STATE.3/alike", "STATE.3/meetings"}
    assert {"STATE.4/resumed", "BC.1/t10"} <= leads["STATE.4/resumed"] < set(PROBES)
