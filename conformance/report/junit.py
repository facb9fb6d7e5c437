"""The report as JUnit XML, for continuous integration.

Each candidate under a claim is a test suite, and each probe in a dtype is a test case.  A suite begins with
the verdict as a sentence, its property "summary", and has it in full as its output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.report.summary import Summary, summary_of
from adamcore.conformance.report.text import failure_texts
from adamcore.conformance.types import Result

#: Characters that XML 1.0 cannot hold, not even escaped.
UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: Report) -> str:
    """Return the text of the file."""
    root = ET.Element("testsuites", name="adamcore check")
    for entry in report.entries:
        root.append(suite_element(entry, report))
    if report.unmet:
        root.append(unmet_element(report.unmet))
    set_counts(root, root.iter("testcase"))
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def suite_element(entry: Entry, report: Report) -> ET.Element:
    """Return the test suite of one candidate under one claim."""
    element = ET.Element("testsuite", name=replace_unfit(f"{entry.target} as {entry.claimed}"))
    summary = summary_of([entry])
    facts = {
        "summary": summary.sentence,
        "verdict": entry.verdict,
        "claimed": entry.claimed,
        "identified": entry.identified or "",
        "kind": entry.kind,
        "device": entry.device,
    }
    facts |= {f"version of {name}": version for name, version in report.environment["packages"].items()}
    properties = ET.SubElement(element, "properties")
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=replace_unfit(value))
    for result in entry.results:
        element.append(case_element(entry, result, summary))
    if entry.reason:
        start = ET.SubElement(element, "testcase", name="runs", classname=replace_unfit(entry.target))
        missing = entry.verdict == "unavailable" and not entry.asked
        kind = "skipped" if missing else "error"
        add_outcome(start, kind, entry.verdict, first_line(entry.reason), entry.reason)
    ET.SubElement(element, "system-out").text = replace_unfit("\n".join(summary.lines()))
    set_counts(element, element.iter("testcase"))
    return element


def case_element(entry: Entry, result: Result, summary: Summary) -> ET.Element:
    """Return the test case of one probe in one dtype; a failure begins with the verdict on the candidate."""
    element = ET.Element(
        "testcase", name=f"{result.probe} {result.dtype}", classname=replace_unfit(entry.target)
    )
    waived = entry.waived.get((result.probe, result.dtype))
    if waived is not None:
        add_outcome(element, "skipped", "expected", f"expected to fail: {waived}", result.reason)
    elif entry.failed(result):
        text = "\n\n".join([f"{summary.sentence}.", *failure_texts(entry, result)])
        add_outcome(element, "failure", "deviates", result.reason, text)
    elif result.status == "failed":
        add_outcome(element, "skipped", "note", f"should, not must: {result.reason}", result.reason)
    elif result.status == "undecided":
        why = f"{result.undecided} elements with a bound too wide to judge"
        add_outcome(element, "skipped", "undecided", why, why)
    elif result.status == "skipped":
        add_outcome(element, "skipped", "skipped", result.reason, "")
    return element


def unmet_element(problems: Iterable[str]) -> ET.Element:
    """Return the test suite of wrong entries in the file of expected deviations."""
    element = ET.Element("testsuite", name="expected deviations")
    for number, problem in enumerate(problems, 1):
        each = ET.SubElement(element, "testcase", name=f"entry {number}", classname="expected")
        add_outcome(each, "failure", "unmet", problem, problem)
    set_counts(element, element.iter("testcase"))
    return element


def add_outcome(parent: ET.Element, tag: str, type: str, message: str, text: str) -> None:  # noqa: A002
    ET.SubElement(parent, tag, type=type, message=replace_unfit(first_line(message))).text = replace_unfit(
        text
    )


def set_counts(element: ET.Element, cases: Iterable[ET.Element]) -> None:
    """Set the numbers of tests, failures, errors and skips as attributes."""
    inner = [[child.tag for child in each] for each in cases]
    element.set("tests", str(len(inner)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(tag in tags for tags in inner)))
    element.set("time", "0")


def first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def replace_unfit(text: str) -> str:
    r"""Return the text with U+FFFD for each character that XML cannot hold.

    The last output of a candidate that broke may contain any character.

    >>> replace_unfit("a\x00b") == "a\ufffdb"
    True
    """
    return UNFIT.sub("\ufffd", text)
