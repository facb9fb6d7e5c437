"""The report as JUnit XML: counts, attributes, and where a probe failed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from reports import full

from adamcore.conformance.report.junit import render_junit


def test_junit_counts_and_attributes() -> None:
    root = ET.fromstring(render_junit(full()).encode())
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert len(suites) == len(full().entries) + 1  # the last for the file of expected deviations
    names = ("tests", "failures", "errors", "skipped")
    total = dict.fromkeys(names, 0)
    for suite in suites:
        cases = suite.findall("testcase")
        seen = {name: len(suite.findall(f"testcase/{name.rstrip('s')}")) for name in names[1:3]}
        seen |= {"tests": len(cases), "skipped": len(suite.findall("testcase/skipped"))}
        assert {name: int(suite.attrib[name]) for name in names} == seen
        assert all({"name", "classname"} <= set(case.attrib) for case in cases)
        assert all(len(case) <= 1 for case in cases)
        assert len({case.attrib["name"] for case in cases}) == len(cases)
        total = {name: total[name] + seen[name] for name in names}
    assert {name: int(root.attrib[name]) for name in names} == total
    assert total == {"tests": 23, "failures": 3, "errors": 1, "skipped": 9}


def test_junit_says_where_and_why() -> None:
    root = ET.fromstring(render_junit(full()).encode())
    mine = root.find("testsuite[@name='my.adam:Mine as torch.Adam']")
    assert mine is not None
    failure = mine.find("testcase[@name='EPS.1/beside-small-root float32']/failure")
    assert failure is not None
    assert failure.attrib["message"] == "parameter 0[1] leaves the bound in step 2"
    text = failure.text or ""
    for said in (
        "step 2, parameter 0[1]",
        "0x1.8p-1  (0.75)",
        "40 ULP; the bound is 4 ULP",
        "epsilon (EPS.1)",
    ):
        assert said in text, said
    assert text.count("0x1.8p-1") == 1, "the evidence is not told twice"
    assert "missing (F1)" not in text, "a finding about another probe"
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.attrib["message"] == "exited with status 3"
    assert "\ufffd" in (error.text or ""), "characters that XML cannot hold"
