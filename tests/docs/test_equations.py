"""docs/equations.md is what the definition prints, and it has every value of every axis."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import equations_page
import pytest
from paths import ROOT

from adamcore.axes import AXES
from adamcore.conformance.oracle import symbolic


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    assert page == equations_page.page(), "run `make pages`"


def test_the_program_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "equations.md"
    monkeypatch.setattr(sys, "argv", ["equations_page", str(written)])
    runpy.run_path(equations_page.__file__, run_name="__main__")
    assert written.read_text(encoding="utf-8") == equations_page.page()


def test_every_value_that_computes_something_is_on_the_page() -> None:
    shown = {title for title, *_ in equations_page.PAGE}
    silent = {"missing", "clock", "all_missing", "coefficients"}
    wanted = {f"{axis}: {v}" for axis, values in AXES.items() if axis not in silent for v in values[1:]}
    assert wanted | {"decay: l2"} == {title for title in shown if ": " in title}


@pytest.mark.parametrize("section", equations_page.PAGE[1:], ids=lambda section: str(section[0]))
def test_every_section_differs_from_algorithm_1(section: tuple[str, str, dict[str, object], object]) -> None:
    assert symbolic.equations(**section[2]) != symbolic.equations()


def test_braces_and_brackets_are_balanced() -> None:
    page = equations_page.page()
    for opening, closing in ("{}", "()"):
        assert page.count(opening) == page.count(closing)
    assert page.count(r"\left(") == page.count(r"\right)")
