"""Reports as files: JUnit, Markdown and HTML say what was found, and are written whole or not at all."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reports import BEYOND, LONG, STILL, WITHIN, full

from adamcore.conformance.cli import main
from adamcore.conformance.errors import UsageError
from adamcore.conformance.report.html import render_html
from adamcore.conformance.report.junit import render_junit
from adamcore.conformance.report.markdown import render_markdown
from adamcore.conformance.report.matrix import KINDS, Cell, columns
from adamcore.conformance.report.plot import BOTTOM, POINTS, TOP, plot
from adamcore.conformance.report.report import Report
from adamcore.conformance.report.write import check_paths, write_all
from adamcore.conformance.settings import FORMATS
from adamcore.conformance.types import Point

VOID = {"meta", "br", "link", "img", "hr", "input"}


# --- JUnit ---


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


# --- Markdown ---


def test_markdown_tables_are_whole() -> None:
    text = render_markdown(full())
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    assert len(tables) == 2
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "| `my.adam:Mine` | torch.Adam | apex | **deviates** | ✗ ! |" in text
    assert "| `my.adam:Old` | torch.Adam |  | **deviates**, as expected |" in text
    assert "known.toml, line 3: unused" in text


def test_markdown_lets_no_markup_through() -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", render_markdown(full()), flags=re.M | re.S)
    assert "<script>" not in text.replace("\\<script\\>", "")


# --- HTML ---


class Reader(HTMLParser):
    """Balance of the tags, every attribute, the ids and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_page_is_well_formed_and_stands_alone() -> None:
    text = render_html(full())
    reader = read(text)
    tags = {tag for tag, _, _ in reader.attributes}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert not [a for a in reader.attributes if a[1].startswith("on") or a[1] in ("src", "srcset", "data")]
    assert "@import" not in text
    assert "url(" not in text
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    targets = [value for _, name, value in reader.attributes if name == "href"]
    assert targets
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    assert "<script>alert" in reader.text, "shown as text"
    assert "known.toml, line 3: unused" in reader.text


def test_page_can_be_heard() -> None:
    """Scopes on headers, a sentence for each plot, a word for each cell."""
    reader = read(render_html(full()))
    images = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-label")]
    assert any("first beyond in step 2" in value for value in images)
    assert {value for tag, name, value in reader.attributes if (tag, name) == ("th", "scope")} == {
        "row",
        "col",
    }
    heads = render_html(full()).count("<th>") + render_html(full()).count("<th class")
    assert heads == 0, "a header cell without scope"
    labels = {v for _, name, v in reader.attributes if name == "title"}
    assert {"passed, error .25 of the bound", "failed, error 25 of the bound", "skipped",
            "failed, by no matter of size"} <= labels  # fmt: skip


def test_page_of_a_large_check_is_small() -> None:
    report = full()
    many = []
    for target in range(7):
        results = [
            type(r)(f"RULE.{rule}/probe-{k}", dtype, "passed", 0.2, 1.0, series=LONG)
            for r in report.entries[0].results[:1]
            for rule in range(25) for k in range(2) for dtype in ("float32", "float64")
        ]  # fmt: skip
        for dialect in range(50):
            entry = type(report.entries[0])(f"target{target}", f"dialect.{dialect}", {}, results=results)
            many.append(entry)
    assert len(render_html(Report(many, report.environment))) < 1_000_000


def test_empty_report() -> None:
    empty = Report([], full().environment)
    read(render_html(empty))
    ET.fromstring(render_junit(empty).encode())
    assert render_markdown(empty).startswith("# Is it Adam?")


# --- what the reports share ---


def test_columns_show_the_worst_of_several_claims() -> None:
    report = full()
    own = [entry for entry in report.entries if entry.target == "numpy"]
    own[1].results = [r for r in report.entries[0].results if r.status == "failed"]
    column = next(c for c in columns(report) if c.target == "numpy")
    assert (column.cell("EPS.1").kind, column.cell("STEP.1").kind, column.cell("BC.1").kind) == (
        "failed",
        "passed",
        "",
    )
    assert next(r.claimed for r in column.rows if r.kind == "failed") == "keras.Adam"
    assert column.counts["failed"] == 3


def test_cells_can_be_told_apart_without_colour() -> None:
    cells = [Cell(kind, 1.0, 1) for kind in KINDS]
    assert len({cell.text for cell in cells}) == len(KINDS)
    levels = [Cell("failed", worst).level for worst in (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 1e3, math.inf)]
    assert levels == [0, 1, 2, 3, 4, 5, 6, 7]


def test_plot_has_the_error_above_the_bound_where_it_fails() -> None:
    drawn = plot(BEYOND)
    assert drawn is not None
    bound = [int(y) for _, y in re.findall(r"(\d+) (\d+)", drawn.bound)]
    error = [int(y) for _, y in re.findall(r"(\d+) (\d+)", drawn.error)]
    assert [e < b for e, b in zip(error, bound, strict=True)] == [False, True, True]  # y grows downwards
    assert [(x, y) for x, y in drawn.dots[1:]] == drawn.beyond
    assert all(TOP <= y <= BOTTOM for y in bound + error)


def test_plot_of_odd_series() -> None:
    assert plot([]) is None
    assert plot([Point(0.0, 0.0, 0.0)] * 3) is None  # all stood still
    moved = plot(STILL)
    assert moved is not None
    assert (moved.bound, len(moved.beyond)) == ("", 1)
    nowhere = plot([*WITHIN, Point(math.inf, math.nan, 4.0), Point(math.inf, math.inf, 4.0)])
    assert nowhere is not None
    assert [y for _, y in nowhere.beyond] == [TOP, TOP]
    long = plot(LONG)
    assert long is not None
    assert long.error.count(" ") <= POINTS
    assert "300 steps; worst in step 300" in long.label


# --- files ---


@pytest.mark.parametrize("form", FORMATS)
def test_path_that_cannot_be_written_is_an_error_before_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """The candidate does not even exist: nobody looks for it."""
    for path in (tmp_path / "no" / "such" / "file", tmp_path):
        assert main(["check", "no_such_module:Adam", f"--{form}", str(path)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"adamcore: cannot write {path}: ")
        assert len(said.err.splitlines()) == 1


def test_one_path_for_two_reports(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--json and --html both write"):
        check_paths({"json": str(tmp_path / "a"), "html": f"{tmp_path}/./a"})


def test_files_are_whole_or_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {form: str(tmp_path / f"out.{form}") for form in FORMATS}
    assert write_all(full(), paths) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"out.{form}" for form in FORMATS)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}

    def no_space(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    problems = write_all(full(), paths)
    assert problems == [f"cannot write {path}: No space left on device" for path in paths.values()]
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_command_writes_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [word for form in FORMATS for word in (f"--{form}", str(tmp_path / form))]
    (tmp_path / "still.py").write_text(
        "class Still:\n def init(self, params, hyper): self.p = params\n"
        " def step(self, grads): return self.p\n"
    )
    target = f"{tmp_path / 'still.py'}:Still"
    assert main(["check", target, "--dtype", "float32", "--probe", "STEP.1/fingerprint", *options]) == 1
    assert "deviates" in capsys.readouterr().out
    assert ET.parse(tmp_path / "junit").getroot().attrib["failures"] == "1"
    drawn = read((tmp_path / "html").read_text())
    assert any("first beyond in step 1" in value for _, _, value in drawn.attributes)
    assert "STEP.1" in (tmp_path / "markdown").read_text()
