"""What a finding says of things that meet."""

from __future__ import annotations

import numpy as np

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.factors import FACTORS, IN_HISTORIES, factors_of
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Evidence, Probe, Result, Step
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.meetings import Meeting

ABSENT = next(factor for factor in FACTORS if factor.name == "gradients that are absent")
RATE = next(factor for factor in FACTORS if factor.name == "a learning rate that changes")


def test_the_first_factor_names_the_area() -> None:
    failure = Result("F1/meetings", "float64", "failed", reason="parameter 0[1] leaves the bound in step 2")
    finding = Meeting([ABSENT, RATE], failure, PROBES["F1/meetings"]).finding
    assert (finding.area, finding.rule) == ("missing", "F1")
    assert finding.observed == (
        "goes wrong only where these meet: gradients that are absent, a learning rate that changes; "
        "parameter 0[1] leaves the bound in step 2"
    )
    observed = Meeting([RATE], failure, PROBES["F1/meetings"]).finding.observed
    assert observed.startswith("goes wrong only with a learning rate that changes; parameter 0[1]")


def test_absent_gradients_of_other_arrays_name_no_area() -> None:
    grads = (None, np.ones(1))
    probe = Probe("F1/x", "", (np.ones(1), np.ones(1)), (Step(grads), Step(grads)), {})
    for element, area in (("0[0]", "missing"), ("1[0]", "schedule")):
        evidence = Evidence("F1/x", 2, element, "", "", 1.0, 1.0)
        failure = Result("F1/x", "float64", "failed", evidence=evidence)
        assert Meeting([ABSENT, RATE], failure, probe).finding.area == area


def test_failures_with_one_of_the_factors_follow() -> None:
    case = Case(Adam(), {}, [], False, PROBES)
    meeting = Meeting([ABSENT, RATE], Result("F1/meetings", "float64", "failed"), PROBES["F1/meetings"])
    assert meeting.leads_to(case, Result("F1/absent-last", "float32", "failed"))
    assert meeting.leads_to(case, Result("LR.1/every-array", "float32", "failed"))
    assert not meeting.leads_to(case, Result("STEP.1/fingerprint", "float32", "failed"))


def test_every_factor_has_a_rule_in_words() -> None:
    assert {factor.rule for factor in IN_HISTORIES} <= set(SAYS)


def test_factors_are_in_the_order_in_which_they_are_named() -> None:
    factors = factors_of(PROBES["LR.4/meetings"])
    assert factors == sorted(factors, key=FACTORS.index)
    assert factors[0].area == "groups"
