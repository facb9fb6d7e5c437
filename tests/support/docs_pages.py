"""What the tests of pages share: their links, and the tables of what a framework takes and we take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from paths import ROOT

Row = tuple[str, str, str]  #: a line of code; same, more, otherwise or refused; and why

LINK = r"\]\(([^)#]+?)(?:#[^)]*)?\)"
ROW = r"^\| `(.+)` \| (same|more|otherwise|refused) \|(.*)\|$"


def lost_links(page: Path) -> list[str]:
    """Return the targets of a page's links to files that are not there."""
    targets = re.findall(LINK, page.read_text(encoding="utf-8"))
    return [target for target in targets if "://" not in target and not (page.parent / target).exists()]


def rows_of(page: Path) -> list[Row]:
    """Return the rows of the page's table of what is taken."""
    return re.findall(ROW, page.read_text(encoding="utf-8"), flags=re.M)


def assert_every_kind(rows: Sequence[Row]) -> None:
    """Assert that the rows are of all four kinds, and that those that differ have a reason."""
    assert {here for _, here, _ in rows} == {"same", "more", "otherwise", "refused"}
    assert all(why.strip() for _, here, why in rows if here in ("otherwise", "refused"))


def pages() -> list[str]:
    """Return the pages that people read: the README and those of docs/, by their paths."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found if "generate" not in path.parts]


def code_blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def report_of(page: str) -> tuple[str, str]:
    """Return the words of the one ``adamcore`` command of a page whose report is shown, and the report."""
    text = (ROOT / page).read_text(encoding="utf-8")
    [(command, shown)] = re.findall(r"^\$ adamcore (check [^\n]*)\n(.*?)^```", text, flags=re.M | re.S)
    return command, shown


def without_counts(text: str) -> str:
    """Return a report in one line, without numbers of probes and rules, which grow."""
    counts = r"\b\d+ (?=of \d+ probes|probes|rules|skipped)|\bof \d+ (?=probes|rules)"
    return re.sub(counts, "", " ".join(text.split()))
