"""The report on a terminal: sentences first, numbers and evidence on demand, no name cut in pieces."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text
from small_report import ALL, EVIDENCE, RESULTS, entry, full

from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.report.terminal import print_report, say
from adamcore.conformance.types import Finding

LONG = "packages/optimizers/experimental/second_order_adams.py:DecoupledAdamWithDelayedCorrection"


def printed(
    report: Report,
    *,
    terminal: bool = False,
    width: int = 100,
    encoding: str = "utf-8",
    table: bool = False,
    verbose: bool = False,
) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    colours: Any = "standard" if terminal else None
    print_report(
        report,
        Console(file=out, width=width, force_terminal=terminal, color_system=colours, markup=False),
        table=table,
        verbose=verbose,
    )
    out.seek(0)
    return out.read()


def words(text: str) -> str:
    return " ".join(text.split())


def test_what_a_person_wants_comes_first() -> None:
    text = printed(full())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert text.splitlines()[:4] == [
        "deviates  torch.optim:Adam is not torch.Adam; it behaves like apex",
        "  eps stands under the root, beside the corrected v: sqrt(v_hat + eps)",
        "  EPS.1 asks: eps stands beside the root of the corrected v: sqrt(v_hat) + eps",
        "",
    ]
    order = [
        "to see it again:\n    adamcore check torch.optim:Adam --probe EPS.1/x\n",
        "1 of 3 probes failed, in float32, 1 skipped, 1 undecided",
        "it shows first in EPS.1/x, step 2, parameter 0[1]: 0.75 where 0.5 is exact",
        "note: coefficients in double (NUM.4): 695 ULP off",
        "broken  my/adam.py:[bold]Mine could not be judged\n  exited with status 3",
        "unavailable  torch:cuda could not be judged",
        "numpy is each of the 3 dialects",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)
    assert text.splitlines()[-1] == "1 conforms, 1 deviates, 1 broken, 1 unavailable"


def test_one_that_conforms_takes_a_few_lines() -> None:
    text = printed(Report([entry("conforms", results=RESULTS[1:3])], {}))
    assert text.splitlines() == [
        "conforms  torch.optim:Adam is torch.Adam",
        "  1 probe of 1 rule held in float32, 1 skipped; the largest error is 0.25 of its bound (DEC.1/x,",
        "  float32)",
        "",
        "1 conforms",
    ]


def test_a_program_can_be_copied() -> None:
    """Its lines begin where they do in a file, and none is broken."""
    line = f"optimizer = Adam({', '.join(f'argument_{k}={k}' for k in range(20))})"
    program = f"import torch\n{line}\nprint(1)\n"
    findings = [Finding("decay", "DEC.2", "a", "b", repro=program)]
    text = printed(Report([entry("deviates", findings=findings, results=RESULTS[:1])], {}), width=60)
    assert f"\n  the smallest program that shows it:\n{program}" in text


def test_there_are_colours_on_a_terminal() -> None:
    assert "\x1b[1;31m" in printed(full(), terminal=True)


def test_evidence_comes_on_demand() -> None:
    assert "got   0x1.8p-1" not in printed(full())
    assert "\nrule " not in printed(full())
    text = words(printed(full(), verbose=True))
    for part in (
        "epsilon (EPS.1) expected epsilon=outside-corrected observed epsilon=inside-corrected",
        "evidence probe EPS.1/x, step 2, parameter 0[1]",
        "got 0x1.8p-1 (0.75)",
        "error inf ULP; the bound is 3.5 ULP",
        "again adamcore check torch.optim:Adam --probe EPS.1/x",
        "above 1 it fails. 1 torch.optim:Adam as torch.Adam",
    ):
        assert part in text, part


def test_the_table_has_each_rule_and_each_candidate() -> None:
    lines = [line.split() for line in printed(full(), table=True).splitlines()]
    assert ["1", "torch.optim:Adam", "as", "torch.Adam"] in lines
    assert ["2", "numpy", "as", "3", "dialects"] in lines
    head = lines.index(["rule", "1", "2"])
    cells = {line[0]: line for line in lines[head + 1 : lines.index(["probes", "1", "2"])] if line}
    assert cells["EPS.1"][-2:] == ["✗", "!"]  # the second candidate has no probe of it
    assert cells["DEC.1"][-2:] == [".25", ".25"]
    assert cells["F3"][-2:] == ["-", "-"]
    assert cells["MOM.2"][-4:] == ["?", ".50", "?", ".50"]
    assert cells["NUM.3"][-2:] == ["~", "2.0"]
    assert ["passed", "1", "1"] in lines
    assert ["torch.Adam", "?", ".50"] in lines  # of the dialects


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_the_table_is_as_wide_as_the_terminal(width: int) -> None:
    """With more candidates than fit it goes on below, with the rules again; no head or number is cut."""
    report = full()
    report.entries += [entry("conforms", f"m{k}:A", results=RESULTS[1:4]) for k in range(20)]
    lines = printed(report, width=width, table=True).splitlines()
    assert max(len(line) for line in lines if "adamcore check" not in line) <= width
    heads = [word for line in lines if line.startswith("rule ") for word in line.split()[1:]]
    assert heads == [str(k) for k in range(1, 23)]
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize(("table", "verbose"), [(False, False), (True, False), (False, True)])
def test_a_name_stays_whole(width: int, table: bool, verbose: bool) -> None:
    report = full()
    for each in report.entries:
        if each.target == "torch.optim:Adam":
            each.target = LONG
    assert LONG in printed(report, width=width, table=table, verbose=verbose)


def test_signs_that_an_encoding_lacks_are_letters() -> None:
    text = printed(full(), table=True, encoding="ascii")
    assert "x !" in text
    assert "\\u" not in text


def test_dialects_that_fail_alike_are_told_once() -> None:
    names = [f"dialect{k}" for k in range(40)]
    findings = {
        name: [Finding("clock", f"F{k % 8}", "x", "y", evidence=EVIDENCE, repro=f"--dialect {name}")]
        for k, name in enumerate(names)
    }
    entries = [
        Entry("numpy", name, ALL, "deviates", findings=findings[name], results=RESULTS) for name in names
    ]
    text = words(printed(Report(entries, {})))
    assert text.count("deviates numpy") == 5
    assert "deviates numpy is not dialect0, dialect8, dialect16 and 2 more y F0 asks: x" in text
    assert "numpy as dialect5, dialect13, dialect21 and 12 more: see the report (--json)" in text


def test_paragraphs_break_between_words_alone() -> None:
    out = io.StringIO()
    say(Console(file=out, width=20), Text("one two three four five\n" + "x" * 30 + " end"), 4, 2)
    assert out.getvalue().splitlines() == ["  one two three four", "    five", "    " + "x" * 30, "    end"]
