"""The HTML page: well formed, complete without other files, and readable without seeing it."""

from __future__ import annotations

from html_reader import read
from reports import LONG, full

from adamcore.conformance.report.html import render_html
from adamcore.conformance.report.report import Report


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
    assert {
        "passed, error .25 of the bound",
        "failed, error 25 of the bound",
        "skipped",
        "failed, a failure without size",
    } <= labels


def test_page_of_a_large_check_is_small() -> None:
    report = full()
    many = []
    for target in range(7):
        results = [
            type(r)(f"RULE.{rule}/probe-{k}", dtype, "passed", 0.2, 1.0, series=LONG)
            for r in report.entries[0].results[:1]
            for rule in range(25)
            for k in range(2)
            for dtype in ("float32", "float64")
        ]
        for dialect in range(50):
            entry = type(report.entries[0])(f"target{target}", f"dialect.{dialect}", {}, results=results)
            many.append(entry)
    assert len(render_html(Report(many, report.environment))) < 1_000_000
