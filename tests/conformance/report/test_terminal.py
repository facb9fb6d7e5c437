"""The report on a terminal: tables at 100 columns, findings with their evidence."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from small_report import ALL, EVIDENCE, RESULTS, entry, full

from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.report.terminal import print_report, worst_text
from adamcore.conformance.types import Finding


def printed(report: Report, *, terminal: bool = False, width: int = 100) -> str:
    out = io.StringIO()
    colours: Any = "standard" if terminal else None
    print_report(
        report, Console(file=out, width=width, force_terminal=terminal, color_system=colours, markup=False)
    )
    return out.getvalue()


def test_tables_read_at_100_columns_without_colours() -> None:
    text = printed(full())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "candidate verdict mom eps dec frz num pass fail note skip open"
    assert lines[1] == "torch.optim:Adam deviates .50 ! .25 - 2.0 1 1 1 1 1"
    assert "torch:cuda unavailable" in lines
    assert "3 dialects" in lines
    assert lines[-1] == "1 conforms, 1 deviates, 1 broken, 1 unavailable"


def test_tables_have_colours_on_a_terminal() -> None:
    assert "\x1b[1;31m" in printed(full(), terminal=True)


def test_findings_come_with_their_evidence_and_notes_last() -> None:
    text = printed(full())
    for part in (
        "deviation torch.optim:Adam claimed as torch.Adam; it behaves like apex",
        "evidence EPS.1/x, step 2, parameter 0[1]",
        "got 0x1.8p-1 (0.75)",
        "error inf ULP; the bound is 3.5 ULP",
        "again adamcore check torch.optim:Adam --probe EPS.1/x",
        "broken my/adam.py:[bold]Mine exited with status 3",
    ):
        assert part in " ".join(text.split()), part
    assert text.index("deviation") < text.index("note  torch.optim:Adam")


def test_dialects_that_fail_alike_are_told_once() -> None:
    names = [f"dialect{k}" for k in range(40)]
    findings = {
        name: [Finding("clock", f"F{k % 8}", "x", "y", evidence=EVIDENCE, repro=f"--dialect {name}")]
        for k, name in enumerate(names)
    }
    entries = [
        Entry("numpy", name, ALL, "deviates", findings=findings[name], results=RESULTS) for name in names
    ]
    text = " ".join(printed(Report(entries, {})).split())
    assert text.count("deviation numpy") == 5
    assert "deviation numpy claimed as dialect0, dialect8, dialect16 and 2 more clock (F0)" in text
    assert "numpy claimed as dialect5, dialect13, dialect21 and 12 more: see the report (--json)" in text


def test_cell_says_when_all_were_skipped() -> None:
    assert worst_text(RESULTS[2:3], entry("conforms")).plain == "-"
    assert worst_text([], entry("conforms")).plain == ""


@pytest.mark.parametrize("width", [30, 40, 60, 80])
def test_a_narrow_terminal_has_every_column(width: int) -> None:
    """The table goes on below, with the candidates again, and no head or number is cut."""
    report = full()
    lines = printed(report, width=width).splitlines()
    assert max(map(len, lines)) <= width
    table = lines[: next(k for k, line in enumerate(lines) if line.startswith("Numbers:"))]
    heads = [word for line in table if line.startswith("candidate") for word in line.split()]
    whole = printed(report).splitlines()[0].split()
    assert [head for head in heads if head != "candidate"] == whole[1:]
    assert "…" not in "".join(lines)


def test_a_wide_terminal_has_one_table_and_folds_no_name() -> None:
    text = printed(full(), width=200)
    assert text.count("candidate ") == 1
    assert any(line.startswith("my/adam.py:[bold]Mine") for line in text.splitlines()[:9])
