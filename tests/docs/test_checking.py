"""docs/checking.md shows what the command prints."""

from __future__ import annotations

import pytest
from docs_pages import report_of, without_counts
from paths import ROOT

PAGE = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_report_is_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from adamcore.conformance.cli import main

    command, shown = report_of("docs/checking.md")
    monkeypatch.setenv("COLUMNS", "90")
    assert main(command.split()) == 1
    assert without_counts(capsys.readouterr().out) == without_counts(shown)


def test_the_options_that_print_more_are_named() -> None:
    for option in ("`--table`", "`-v`"):
        assert option in PAGE.partition("## What it prints")[2]
