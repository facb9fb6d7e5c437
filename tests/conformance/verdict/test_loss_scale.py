"""Findings of the loss scale stand beside the cause of what else fails."""

from __future__ import annotations

import pytest
import score
from corpus_runs import item

from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Finding

SCALED = [name for name, probe in PROBES.items() if probe.is_scaled]
ORDINARY = [
    "STEP.1/fingerprint", "DEC.1/coupling", "AMS.1/shrinking", "STATE.4/uninterrupted", "STEP.1/unscaled",
    "MOM.1/common", "DEC.2/lr-changed", "BC.1/first-steps",
]  # fmt: skip


def findings(name: str, *others: str) -> list[Finding]:
    found = score.entry(item(name), [*others, *SCALED]).findings
    return [f for f in found if f.level == "error"]


def test_a_transcribed_kernel_decays_takes_the_maximum_and_scales_wrongly() -> None:
    """Its three faults are three findings: decoupled decay, a corrected maximum, a scale that multiplies."""
    found = findings("fused_adam", *ORDINARY)
    assert [(f.rule, f.observed) for f in found] == [
        ("DEC.1", "decay=decoupled"),
        ("AMS.1", "amsgrad=corrected"),
        ("SCALE.1", "multiplies the gradient by the loss scale, which should divide it"),
    ]


@pytest.mark.parametrize(
    ("name", "rule", "observed"),
    [
        ("inverse_divides", "SCALE.1", "multiplies the gradient by the loss scale, which should divide it"),
        ("scale_of_m_alone", "SCALE.1", "the second moment is that of the gradient with its loss scale"),
        ("scale_of_first_array", "SCALE.1", "parameter 1[1, 1] leaves the bound in step 1"),
        ("skip_ticks", "SCALE.2", "a skipped step ticks the clock"),
        ("skip_fades", "SCALE.2", "parameter 0[1] leaves the bound in step 3"),
    ],
)
def test_one_fault_is_one_finding(name: str, rule: str, observed: str) -> None:
    assert [(f.rule, f.observed) for f in findings(name, "STEP.1/fingerprint")] == [(rule, observed)]
    assert {f.area for f in findings(name)} == {"loss_scale"}


@pytest.mark.parametrize("name", ["in_place", "returns_new", "corrections_given", "of_lists"])
def test_right_kernels_have_no_findings(name: str) -> None:
    assert findings(name, *ORDINARY) == []
