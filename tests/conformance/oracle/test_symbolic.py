"""docs/equations.md is what the definition prints."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from paths import ROOT

from adamcore.axes import AXES
from adamcore.conformance.oracle import symbolic


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    assert page == symbolic.page(), "run `python -m adamcore.conformance.oracle.symbolic`"


def test_the_module_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "equations.md"
    monkeypatch.setattr(sys, "argv", ["symbols", str(written)])
    runpy.run_path(symbolic.__file__, run_name="__main__")
    assert written.read_text(encoding="utf-8") == symbolic.page()


def test_every_value_that_computes_something_is_on_the_page() -> None:
    shown = {title for title, *_ in symbolic.PAGE}
    silent = {"missing", "clock", "all_missing", "coefficients"}
    wanted = {f"{axis}: {v}" for axis, values in AXES.items() if axis not in silent for v in values[1:]}
    assert wanted | {"decay: l2"} == {title for title in shown if ": " in title}


@pytest.mark.parametrize("section", symbolic.PAGE[1:], ids=lambda section: str(section[0]))
def test_every_section_differs_from_algorithm_1(section: tuple[str, str, dict[str, object], object]) -> None:
    assert symbolic.equations(**section[2]) != symbolic.equations()


def test_algorithm_1_by_heart() -> None:
    assert list(symbolic.equations().items()) == [
        ("m_t", r"\beta_1 m_{t-1} + \left(1 - \beta_1\right) g_t"),
        ("v_t", r"\beta_2 v_{t-1} + \left(1 - \beta_2\right) g_t^{2}"),
        (
            "p_t",
            r"p_{t-1} - \frac{\alpha}{1 - \beta_1^{t}}"
            r" \frac{m_t}{\sqrt{v_t} / \sqrt{1 - \beta_2^{t}} + \epsilon}",
        ),
    ]


def test_braces_and_brackets_are_balanced() -> None:
    page = symbolic.page()
    for opening, closing in ("{}", "()"):
        assert page.count(opening) == page.count(closing)
    assert page.count(r"\left(") == page.count(r"\right)")
