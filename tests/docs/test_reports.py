"""docs/reports.md and docs/pytest.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from paths import ROOT

from adamcore.conformance.checking.expected import read_expected
from adamcore.conformance.report.matrix import KINDS
from adamcore.conformance.settings import FORMATS
from adamcore.conformance.testing.plugin import OPTIONS

DOCS = ROOT / "docs"
REPORTS, PYTEST = ((DOCS / name).read_text(encoding="utf-8") for name in ("reports.md", "pytest.md"))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.M | re.S)


@pytest.mark.parametrize("page", [REPORTS, PYTEST], ids=["reports", "pytest"])
def test_examples_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One after another, and a comment ``# prints ...`` says what is printed."""
    if "torch" in page:
        pytest.importorskip("torch")
    code = "\n".join(blocks(page, "python"))
    exec(compile(code, "docs", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.splitlines() == re.findall(r"# prints (.*)$", code, flags=re.M)


def test_expected_deviations_are_read(tmp_path: Path) -> None:
    [text] = blocks(REPORTS, "toml")
    (tmp_path / "expected.toml").write_text(text, encoding="utf-8")
    [entry] = read_expected(tmp_path / "expected.toml").entries
    assert (entry.target, entry.kind, entry.pattern, entry.dtype) == (
        "optax:*",
        "area",
        "coefficients",
        "float32",
    )


def test_pages_name_every_option_and_sign() -> None:
    for form in FORMATS:
        assert f"`--{form} FILE`" in REPORTS
    for option in ("target", *OPTIONS):
        assert f"`--adam-{option} " in PYTEST
    for _, sign in KINDS.values():
        assert f"`{sign}" in REPORTS


@pytest.mark.parametrize("page", [REPORTS, PYTEST], ids=["reports", "pytest"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page):
        assert (DOCS / target).exists(), target
