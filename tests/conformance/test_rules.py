"""The rules as findings name them are those of the specification."""

from __future__ import annotations

import json

from paths import ROOT

from adamcore import AXES
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import AREA_OF, AXIS_SAYS, RULE_OF, SAYS, area_of, said

SPEC = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "conformance" / "schemas" / "report-1.json").read_text(encoding="utf-8"))
AREAS = set(SCHEMA["$defs"]["finding"]["properties"]["area"]["enum"])


def test_every_rule_is_in_the_specification() -> None:
    rules = {*SAYS, *(rule for values in RULE_OF.values() for rule in values.values())}
    assert {rule for rule in rules if f"### {rule} " not in SPEC} == set()


def test_every_value_of_every_axis_has_a_rule() -> None:
    assert {axis: set(values) for axis, values in RULE_OF.items()} == {a: set(v) for a, v in AXES.items()}


def test_every_probe_has_an_area_that_the_report_knows() -> None:
    assert {area_of(name) for name in PROBES} <= AREAS
    assert set(AREA_OF.values()) <= AREAS


def test_the_area_of_a_probe_goes_before_that_of_its_rule_and_family() -> None:
    assert area_of("STEP.1/long") == "layout"
    assert area_of("NUM.4/decimals") == "coefficients"
    assert area_of("EPS.5/root") == "epsilon"


def test_every_value_on_an_axis_has_words() -> None:
    assert {axis: set(words) for axis, words in AXIS_SAYS.items()} == {a: set(v) for a, v in AXES.items()}
    assert said("maximize=True") == "p goes up along the gradient"
    assert said("m = b1*m") == "m = b1*m"
