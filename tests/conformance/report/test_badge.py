"""A badge says the outcome in a few words, with a colour that fits the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adamcore.conformance.cli import main
from adamcore.conformance.report.badge import LONGEST, render_badge
from adamcore.conformance.report.report import Entry, Report, Verdict
from adamcore.conformance.types import Finding

WRONG = Finding("decay", "DEC.2", "", "")
NOTE = Finding("moments", "NUM.3", "", "", level="note")


def entry(verdict: Verdict, *findings: Finding, expected: bool = False, asked: bool = True) -> Entry:
    return Entry(
        "x:Adam", "torch.AdamW", {}, verdict, findings=list(findings), as_expected=expected, asked=asked
    )


def badge(*entries: Entry) -> tuple[str, str]:
    made = json.loads(render_badge(Report(list(entries), {})))
    assert set(made) == {"schemaVersion", "label", "message", "color"}
    return made["message"], made["color"]


def test_one_candidate() -> None:
    assert badge(entry("conforms", NOTE)) == ("conforms to torch.AdamW", "brightgreen")
    assert badge(entry("deviates", WRONG, NOTE, WRONG)) == ("deviates from torch.AdamW: DEC.2", "red")
    assert badge(entry("deviates", WRONG, expected=True))[1] == "yellow"
    assert badge(entry("broken")) == ("broken", "red")
    assert badge(entry("unavailable")) == ("unavailable", "lightgrey")


def test_several() -> None:
    good, bad = entry("conforms"), entry("deviates", WRONG)
    assert badge(good, good) == ("2 conform", "brightgreen")
    assert badge(good, bad) == ("1 of 2 conform", "red")
    assert badge(good, entry("deviates", WRONG, expected=True)) == ("1 of 2 conform", "yellow")
    assert badge(good, entry("unavailable", asked=False)) == ("conforms to torch.AdamW", "brightgreen")
    assert badge() == ("nothing checked", "lightgrey")


def test_a_long_list_of_rules_is_cut() -> None:
    rules = [Finding("decay", f"DEC.{k}", "", "") for k in range(30)]
    assert len(badge(entry("deviates", *rules))[0]) == LONGEST


@pytest.mark.parametrize("dialect", ["paper", "torch.AdamW"])
def test_the_command_writes_it(dialect: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "numpy", "--dialect", dialect, "--probe", "STEP.1/fingerprint", "--dtype", "float32"]
    assert main([*words, "--badge", str(tmp_path / "badge.json")]) == 0
    made = json.loads((tmp_path / "badge.json").read_text(encoding="utf-8"))
    assert made["message"] == f"conforms to {dialect}"
