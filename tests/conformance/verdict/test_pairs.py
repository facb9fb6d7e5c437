"""Two runs that differ in one circumstance, of which one is right."""

from __future__ import annotations

import numpy as np
import pytest
from plain_adam import ADAMW, run

from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.pairs import PAIRS, pair_finding


def case(*wrong: str) -> Case:
    """AdamW's runs of all probes in pairs, with those of ``wrong`` spoiled."""
    names = {name for pair in PAIRS for name in (pair.right, pair.wrong)}
    runs = {(name, "float32"): run(PROBES[name], "float32", {}) for name in sorted(names)}
    for name in wrong:
        runs[name, "float32"].params[-1][0] = np.asarray(runs[name, "float32"].params[-1][0] * 1.5)
    results = [judge(ADAMW, PROBES[n], d, done) for (n, d), done in runs.items()]
    return Case(ADAMW, runs, results, False, PROBES)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair.wrong))
def test_the_circumstance_is_named(pair: object) -> None:
    assert isinstance(pair, type(PAIRS[0]))
    found = pair_finding(case(pair.wrong))
    assert found is not None
    assert (found.finding.area, found.finding.observed) == (pair.area, pair.observed)
    assert (found.right.probe, found.wrong.probe) == (pair.right, pair.wrong)


def test_nothing_is_said_where_both_are_wrong_or_both_right() -> None:
    assert pair_finding(case()) is None
    assert pair_finding(case("STEP.1/fingerprint", "STATE.3/again")) is None


def test_the_probes_of_a_pair_have_the_same_numbers() -> None:
    for pair in PAIRS:
        right, wrong = PROBES[pair.right], PROBES[pair.wrong]
        assert right.hyper == wrong.hyper
        assert right.params is wrong.params
        assert right.steps is wrong.steps
