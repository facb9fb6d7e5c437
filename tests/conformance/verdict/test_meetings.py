"""What a finding says of things that meet."""

from __future__ import annotations

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.factors import FACTORS
from adamcore.conformance.types import Result
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.meetings import Meeting, factors_of

ABSENT = next(factor for factor in FACTORS if factor.area == "missing")
RATE = next(factor for factor in FACTORS if factor.area == "schedule")


def test_the_first_factor_names_the_area() -> None:
    finding = Meeting([ABSENT, RATE], None).finding
    assert (finding.area, finding.rule) == ("missing", "F1")
    assert finding.observed == (
        "goes wrong only where these meet: gradients that are absent, a learning rate that changes"
    )
    assert Meeting([RATE], None).finding.observed == "goes wrong only with a learning rate that changes"


def test_failures_with_the_first_factor_follow() -> None:
    case, meeting = Case(Adam(), {}, [], False, PROBES), Meeting([ABSENT, RATE], None)
    assert meeting.leads_to(case, Result("F1/absent-last", "float32", "failed"))
    assert not meeting.leads_to(case, Result("LR.1/every-array", "float32", "failed"))


def test_factors_are_in_the_order_in_which_they_are_named() -> None:
    factors = factors_of(PROBES["LR.4/meetings"])
    assert factors == sorted(factors, key=FACTORS.index)
    assert factors[0].area == "groups"
