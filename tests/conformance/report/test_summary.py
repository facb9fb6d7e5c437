"""The verdict in sentences: what every form of a report says first."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

from html_reader import read
from measured_adams import Parts, anatomy, eps_inside
from small_report import EVIDENCE, RESULTS, entry, full

from adamcore import AXES
from adamcore.conformance.report.html import render_html
from adamcore.conformance.report.junit import render_junit
from adamcore.conformance.report.markdown import render_markdown
from adamcore.conformance.report.report import Report
from adamcore.conformance.report.summary import Summary, first_divergence, summaries, summary_of
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, FloatArray

NONE: dict[str, list[Any]] = {axis: [] for axis in AXES}


def of(verdict: Any, **changes: Any) -> Summary:
    return summary_of([entry(verdict, **{"results": RESULTS, **changes})])


def test_the_answer_is_one_sentence() -> None:
    assert of("conforms").answer == "torch.optim:Adam is torch.Adam"
    assert of("deviates").answer == "torch.optim:Adam is not torch.Adam"
    assert of("deviates", identified="apex").answer.endswith("is not torch.Adam; it behaves like apex")
    assert of("deviates", as_expected=True).answer.endswith("is not torch.Adam, as expected")
    assert of("broken", reason="exit 3").answer == "torch.optim:Adam could not be judged"
    unknown = entry("deviates")
    unknown.axes = NONE
    assert summary_of([unknown]).answer.endswith("is not torch.Adam, nor another Adam known here")
    unknown.claimed = "paper"
    assert "is not the paper's Adam" in summary_of([unknown]).answer


def test_one_that_broke_keeps_what_was_found_before() -> None:
    said = of(
        "broken", reason="exit 3", findings=[Finding("epsilon", "EPS.1", "a", "epsilon=inside-corrected")]
    )
    assert (said.reason, said.sure, said.instead) == ("exit 3", (), "")
    assert said.further == ("eps stands under the root, beside the corrected v: sqrt(v_hat + eps) (EPS.1)",)
    assert said.lines()[:2] == ["torch.optim:Adam could not be judged.", "exit 3"]


def test_a_recording_is_the_optimizer_of_its_file() -> None:
    said = of("conforms", kind="recording", reason="30 of 40 steps judged")
    assert said.answer == "the optimizer of torch.optim:Adam is torch.Adam"
    assert said.sure[0] == "30 of 40 steps judged"


def test_what_it_does_instead_is_measured_beside_the_claim() -> None:
    """The second moment of an Adam whose eps is inside, as the experiments show it."""
    findings = [Finding("epsilon", "EPS.1", "epsilon=outside-corrected", "epsilon=inside-corrected")]
    said = of("deviates", findings=findings, anatomy=eps_inside())
    assert said.instead == "eps stands under the root, beside the corrected v: sqrt(v_hat + eps)"
    assert said.asked == "EPS.1 asks: eps stands beside the root of the corrected v: sqrt(v_hat) + eps"
    assert said.compared == (
        ("step", "p = p - lr m_hat / (sqrt(v_hat) + eps)", "p = p - lr m_hat / sqrt(v_hat + eps)"),
    )


class Raises(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        raise RuntimeError("another signature")


def test_of_steps_that_raise_nothing_was_measured() -> None:
    raising = anatomy(Raises)
    assert raising.error == "RuntimeError: another signature"
    findings = [Finding("moments", "STEP.1", "p moves", f"an ordinary step raises {raising.error}")]
    assert of("deviates", findings=findings, anatomy=raising).compared == ()


def test_numbers_without_an_equation_stand_in_the_sentence() -> None:
    findings = [
        Finding("layout", "NUM.5", "a", "only 8 arrays move", measured="5 of 70 elements do not move")
    ]
    assert of("deviates", findings=findings).instead.endswith("move (measured: 5 of 70 elements do not move)")


def test_a_finding_that_knows_its_probe_alone_names_it() -> None:
    findings = [Finding("epsilon", "EPS.1", "a small root", RESULTS[0].reason, evidence=EVIDENCE)]
    said = of("deviates", findings=findings)
    assert said.instead == "parameter 0[1] leaves the bound of EPS.1/x (a small root)"
    assert said.asks == SAYS["EPS.1"]


def test_how_sure_it_is() -> None:
    advisory = frozenset({"NUM.3/huge"})
    findings = [Finding("epsilon", "EPS.1", "a", "b", evidence=EVIDENCE)]
    first, second = of("deviates", findings=findings, advisory=advisory).sure
    assert first == "1 of 3 probes failed, in float32, 1 skipped, 1 undecided"
    assert second == "it shows first in EPS.1/x, step 2, parameter 0[1]: 0.75 where 0.5 is exact"
    both = of("deviates", findings=findings).sure[0]
    assert both.endswith("; the largest error is 2.0 times its bound (NUM.3/huge, float32)")
    assert of("conforms", results=RESULTS[1:2]).sure == (
        "1 probe of 1 rule held in float32; the largest error is 0.25 of its bound (DEC.1/x, float32)",
    )


def test_the_first_divergence_has_its_size_where_it_has_one() -> None:
    shown = first_divergence(Finding("epsilon", "EPS.1", "a", "b", evidence=replace(EVIDENCE, ulp=40.0)))
    assert shown.endswith("0.75 where 0.5 is exact, 40 ULP off; the bound is 3.5 ULP")
    exact = replace(EVIDENCE, ulp=40.0, bound_ulp=0.0)
    shown = first_divergence(Finding("missing", "F1", "a", "b", evidence=exact))
    assert shown.endswith("40 ULP off; it has to be the same bit for bit")
    assert first_divergence(Finding("missing", "F1", "a", "b")) == ""


def test_claims_with_the_same_findings_are_one_summary() -> None:
    said = summaries(full())
    assert [s.target for s in said] == ["torch.optim:Adam", "my/adam.py:[bold]Mine", "torch:cuda", "numpy"]
    assert said[-1].answer == "numpy is each of the 3 dialects"
    assert len(said[-1].entries) == 3


def test_every_form_of_a_report_begins_with_it() -> None:
    report = full()
    report.entries[0].anatomy = eps_inside()
    [said, *_] = summaries(report)
    markdown = render_markdown(report)
    assert markdown.index("eps stands under the root") < markdown.index("| candidate |")
    assert (
        "| step | `p = p - lr m_hat / (sqrt(v_hat) + eps)` | `p = p - lr m_hat / sqrt(v_hat + eps)` |"
        in markdown
    )
    suite = ET.fromstring(render_junit(report)).find("testsuite")
    assert suite is not None
    first = suite.find("properties/property")
    assert first is not None
    assert first.attrib == {"name": "summary", "value": said.sentence}
    assert suite.findtext("testcase/failure", "").startswith(f"{said.sentence}.\n")
    assert suite.findtext("system-out", "").splitlines() == said.lines()
    page = read(render_html(report)).text
    assert page.index(said.answer) < page.index(said.instead) < page.index("Anatomy\n")


def test_a_report_of_one_candidate_has_its_answer_as_title() -> None:
    report = Report([entry("conforms", results=RESULTS[1:2])], full().environment)
    assert "<title>torch.optim:Adam is torch.Adam</title>" in render_html(report)


def test_an_empty_report_says_so() -> None:
    assert summaries(Report([], {})) == []
