"""The README does what it says."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
import readme_results
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


def test_it_fits_on_a_page() -> None:
    assert len(README.splitlines()) <= 110


def test_its_results_are_those_of_the_pages() -> None:
    assert readme_results.with_results(README) == README, "run `make pages`"


def test_the_program_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "README.md").write_text(README.replace("of the world measured", "..."), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["readme_results", str(tmp_path / "README.md")])
    runpy.run_path(readme_results.__file__, run_name="__main__")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == README
