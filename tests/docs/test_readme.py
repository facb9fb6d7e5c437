"""The README does what it says."""

from __future__ import annotations

import re

import pytest
from docs_pages import lost_links
from paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"], ids=lambda page: str(page)
)
def test_links_lead_somewhere(page: str) -> None:
    assert lost_links(ROOT / page) == []
