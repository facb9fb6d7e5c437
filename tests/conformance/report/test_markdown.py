"""The report as Markdown: whole tables, and no markup from a candidate."""

from __future__ import annotations

import re

from reports import full

from adamcore.conformance.report.markdown import render_markdown


def test_markdown_tables_are_whole() -> None:
    text = render_markdown(full())
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    assert len(tables) == 3
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "| `my.adam:Mine` | torch.Adam | apex | **deviates** | ✗ ! |" in text
    assert "| `my.adam:Old` | torch.Adam |  | **deviates**, as expected |" in text
    assert "known.toml, line 3: unused" in text


def test_markdown_lets_no_markup_through() -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", render_markdown(full()), flags=re.M | re.S)
    assert "<script>" not in text.replace("\\<script\\>", "")
