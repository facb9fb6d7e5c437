"""The README does what it says."""

from __future__ import annotations

import re

import pytest
from docs_pages import lost_links
from paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.M | re.S)


def test_has_examples() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_example_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs, and a comment ``# prints ...`` says what it prints."""
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    said = re.findall(r"# prints (.*)$", block, flags=re.M)
    assert capsys.readouterr().out.splitlines() == said


def test_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"], ids=lambda page: str(page)
)
def test_links_lead_somewhere(page: str) -> None:
    assert lost_links(ROOT / page) == []
