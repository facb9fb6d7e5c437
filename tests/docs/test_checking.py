"""docs/checking.md shows what the command prints."""

from __future__ import annotations

import re

import pytest
from paths import ROOT

PAGE = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_report_is_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from adamcore.conformance.cli import main

    [(command, shown)] = re.findall(r"^\$ adamcore (check [^\n]*)\n(.*?)^```", PAGE, flags=re.M | re.S)
    monkeypatch.setenv("COLUMNS", "90")
    assert main(command.split()) == 1
    assert without_counts(capsys.readouterr().out) == without_counts(shown)


def without_counts(text: str) -> str:
    """Return a report in one line, without numbers of probes and rules, which grow."""
    return re.sub(
        r"\b\d+ (?=of \d+ probes|probes|rules|skipped)|\bof \d+ (?=probes|rules)", "", " ".join(text.split())
    )


def test_the_options_that_print_more_are_named() -> None:
    for option in ("`--table`", "`-v`"):
        assert option in PAGE.partition("## What it prints")[2]
