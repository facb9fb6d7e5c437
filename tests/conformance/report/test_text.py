"""Plain text that renderers share: what a failed probe has to say, each part once."""

from __future__ import annotations

import math

from reports import EVIDENCE, full

from adamcore.conformance.report.text import failure_texts, finding_text, format_ratio
from adamcore.conformance.types import Finding


def test_a_failure_has_its_reason_its_divergence_and_its_findings() -> None:
    entry = full().entries[0]
    [result] = [r for r in entry.results if r.probe == "EPS.1/beside-small-root"]
    reason, divergence, finding = failure_texts(entry, result)
    assert reason == "parameter 0[1] leaves the bound in step 2"
    assert divergence.splitlines()[:2] == [
        "first divergence",
        "  probe EPS.1/beside-small-root, step 2, parameter 0[1]",
    ]
    assert finding.startswith("epsilon (EPS.1)\n  expected  epsilon=outside-corrected\n")
    assert "got" not in finding  # the evidence is in the divergence


def test_a_finding_without_printed_evidence_has_it() -> None:
    finding = Finding("epsilon", "EPS.1", "a", "b", "error", EVIDENCE, "adamcore check x")
    assert "    got   0x1.8p-1" not in finding_text(finding, EVIDENCE)
    lines = finding_text(finding).splitlines()
    assert "  got   0x1.8p-1  (0.75)" in lines
    assert lines[-2:] == ["  again", "    adamcore check x"]


def test_a_result_that_no_finding_names_belongs_to_the_first() -> None:
    entry = full().entries[0]
    by_probe = {r.probe: r for r in entry.results}
    assert [f.rule for f in entry.findings_of(by_probe["F1/absent-middle"])] == ["F1"]
    assert [f.rule for f in entry.findings_of(by_probe["NUM.3/huge"])] == ["EPS.1"]  # notes do not count


def test_ratio_takes_four_characters_at_most() -> None:
    for x in (
        0,
        1e-9,
        0.005,
        0.5,
        0.994,
        0.996,
        1.04,
        9.96,
        99.4,
        999.4,
        1e3,
        1e10,
        1e100,
        1e300,
        math.inf,
        math.nan,
    ):
        assert 1 <= len(format_ratio(x)) <= 5, x
    assert format_ratio(0.9951) == "1.0"
