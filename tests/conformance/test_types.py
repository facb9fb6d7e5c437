"""The properties of a probe."""

from __future__ import annotations

from dataclasses import replace

from adamcore import Adam
from adamcore.conformance.probes import PROBES


def test_a_probe_applies_to_claims_with_the_values_that_it_needs() -> None:
    probe = replace(PROBES["DEC.1/coupling"], needs={"epsilon": ("inside-corrected", "inside-uncorrected")})
    assert probe.applies_to(Adam(epsilon="inside-corrected"))
    assert not probe.applies_to(Adam(epsilon="outside-corrected"))


def test_with_hyper_changes_some_hyperparameters_and_no_other_probe() -> None:
    probe = PROBES["DEC.1/coupling"]
    changed = probe.with_hyper(lr=0.125)
    assert changed.hyper == {**probe.hyper, "lr": 0.125}
    assert probe.hyper["lr"] == 0.25
    assert changed.steps is probe.steps


def test_the_rule_of_a_probe_is_the_head_of_its_name() -> None:
    assert PROBES["CLK.3/beyond-2**24"].rule == "CLK.3"
