"""The report: its schema, its exit code, its file, its tables."""

from __future__ import annotations

import io
import json
import math
import os
import stat
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from rich.console import Console

from adamcore import AXES
from adamcore.conformance.report.report import Entry, Report, Verdict, environment
from adamcore.conformance.report.terminal import VERDICTS, print_report, worst_text
from adamcore.conformance.report.text import format_ratio
from adamcore.conformance.types import Evidence, Finding, Result

SCHEMA = json.loads(resources.files("adamcore.conformance").joinpath("schemas/report-1.json").read_text())
ALL: dict[str, list[Any]] = {axis: list(values) for axis, values in AXES.items()}
EVIDENCE = Evidence("EPS.1/x", 2, "0[1]", "0x1.8p-1", "0x1.0p-1", math.inf, 3.5)
RESULTS = [
    Result("EPS.1/x", "float32", "failed", math.inf, 12.0, EVIDENCE, "parameter 0[1] leaves the bound"),
    Result("DEC.1/x", "float32", "passed", 0.25, 1.0),
    Result("F3/mask", "float32", "skipped", reason="it has no masks"),
    Result("MOM.2/long", "float32", "undecided", 0.5, 2.0, undecided=3),
    Result("NUM.3/huge", "float32", "failed", 2.0, 9.0, EVIDENCE, "overflows"),
]


def entry(verdict: Verdict, target: str = "torch.optim:Adam", **changes: Any) -> Entry:
    return Entry(target, "torch.Adam", ALL, verdict, **changes)


def full() -> Report:
    findings = [
        Finding("epsilon", "EPS.1", "epsilon=outside-corrected", "epsilon=inside-corrected", "error",
                EVIDENCE, "adamcore check torch.optim:Adam --probe EPS.1/x"),
        Finding("coefficients", "NUM.4", "coefficients in double", "695 ULP off", "note"),
    ]  # fmt: skip
    deviating = entry(
        "deviates", kind="torch optimizer", device="cpu", identified="apex", findings=findings,
        results=RESULTS, advisory=frozenset({"NUM.3/huge"}),
    )  # fmt: skip
    broken = entry(
        "broken", "my/adam.py:[bold]Mine", reason="exited with status 3 at probe X.1/0; it last wrote:\nx"
    )
    absent = entry("unavailable", "torch:cuda", reason="torch has no device 'cuda'", asked=False)
    own = [entry("conforms", "numpy", kind="own backend", results=RESULTS[1:4]) for _ in range(3)]
    return Report([deviating, broken, absent, *own], environment({"numpy": "cpu"}))


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    candidate = SCHEMA["$defs"]["candidate"]["properties"]
    assert candidate["verdict"]["enum"] == list(get_args(Verdict)) == list(VERDICTS)
    assert set(SCHEMA["$defs"]["axes"]["required"]) == set(AXES)


def test_report_follows_its_schema() -> None:
    report = full().as_dict()
    text = json.dumps(report, allow_nan=False)
    jsonschema.validate(json.loads(text), SCHEMA)
    probe = report["candidates"][0]["probes"][0]
    assert probe["worst_ratio"] is None
    assert probe["status"] == "failed"
    assert report["candidates"][0]["findings"][0]["evidence"]["ulp"] is None
    assert report["candidates"][0]["findings"][0]["evidence"]["got"] == "0x1.8p-1"


def test_environment_names_versions_and_loads_no_framework() -> None:
    found = environment()
    assert {"adamcore", "numpy"} <= set(found["packages"])
    assert found["python"].count(".") == 2


@pytest.mark.parametrize(
    ("verdicts", "asked", "code"),
    [
        (["conforms"], True, 0),
        (["conforms", "deviates"], True, 1),
        (["conforms", "unavailable"], True, 2),
        (["conforms", "unavailable"], False, 0),
        (["deviates", "unavailable"], True, 2),
        (["deviates", "unavailable"], False, 1),
        (["broken", "deviates", "unavailable", "conforms"], True, 3),
    ],
)
def test_exit_code(verdicts: list[Verdict], asked: bool, code: int) -> None:
    assert Report([entry(v, asked=asked) for v in verdicts], {}).exit_code == code


def test_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def fails(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="disk full"):
            full().write(path)
    assert path.read_text() == "old"
    full().write(path)
    jsonschema.validate(json.loads(path.read_text()), SCHEMA)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


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
        "deviation torch.optim:Adam claimed as torch.Adam; it does as apex does",
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


def test_ratio_takes_four_characters_at_most() -> None:
    for x in (
        0,
        1e-9,
        0.005,
        0.5,
        0.994,
        0.996,
        1.04,
        9.96,
        99.4,
        999.4,
        1e3,
        1e10,
        1e100,
        1e300,
        math.inf,
        math.nan,
    ):
        assert 1 <= len(format_ratio(x)) <= 5, x
    assert format_ratio(0.9951) == "1.0"


def test_cell_says_when_all_were_skipped() -> None:
    assert worst_text(RESULTS[2:3], entry("conforms")).plain == "-"
    assert worst_text([], entry("conforms")).plain == ""
