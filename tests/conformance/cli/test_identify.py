"""`adamcore identify`: the answer in a line, the axes in a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from check_candidates import write
from paths import ROOT

from adamcore import AXES
from adamcore.conformance.cli import main
from adamcore.conformance.cli.identify import answer
from adamcore.conformance.report.report import Entry
from adamcore.conformance.types import Result

ALL: dict[str, list[Any]] = {axis: list(values) for axis, values in AXES.items()}
NONE: dict[str, list[Any]] = {axis: [] for axis in AXES}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"identified": "torch.AdamW", "sureness": 40.0},
            "behaves like torch.AdamW; the next best is 40 bounds",
        ),
        ({}, "is an Adam that no dialect of the table describes"),
        ({"fault": "eps is missing"}, "is an Adam with a fault: eps is missing"),
        ({"fault": "like Adam in one element; otherwise not"}, "is like Adam in one element; otherwise not"),
        ({"axes": NONE}, "is none of the Adams known here"),
        ({"verdict": "broken", "reason": "exited with status 3"}, "is broken: exited with status 3"),
    ],
)
def test_the_answer(changes: dict[str, Any], words: str) -> None:
    entry = Entry(**{"target": "m:A", "claimed": "paper", "axes": ALL, **changes})
    assert answer(entry).startswith(words)


def test_a_target_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify"]) == 2
    assert "give a TARGET" in capsys.readouterr().err


def test_a_target_that_is_not_here_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify", "no_such_module:Adam", "--probe", "STEP.1/fingerprint"]) == 2
    said = capsys.readouterr().out
    assert said.startswith("no_such_module:Adam is unavailable: no_such_module is not installed")


def test_the_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = write(tmp_path)
    narrow = ["--probe", "STEP.1/fingerprint", "--dtype", "float64"]
    paths = {form: tmp_path / form for form in ("json", "junit", "markdown", "html")}
    options = [word for form, path in paths.items() for word in (f"--{form}", str(path))]
    assert main(["identify", target, *narrow, *options]) == 0
    assert json.loads(paths["json"].read_text())["candidates"][0]["target"] == target
    assert all(path.stat().st_size for path in paths.values())
    said = capsys.readouterr().out
    assert "".join(said.split()).startswith(f"{target}behaveslikepaper"), said
    assert main(["identify", target, *narrow, "--json", str(tmp_path / "no" / "report.json")]) == 2
    assert "cannot write" in capsys.readouterr().err
    assert main(["identify", target, *narrow, "--expected", "known.toml"]) == 2
    assert "identify expects nothing" in capsys.readouterr().err


def test_help_names_nothing_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["identify", "--help"])
    said = capsys.readouterr().out
    assert "--dtype {float32,float64}" in said
    assert "--storage" not in said
    assert "--expected" not in said
    assert main(["identify", "numpy", "--dtype", "bfloat16"]) == 2
    assert "shows in float32 and float64 alone" in capsys.readouterr().err


def test_a_fingerprint_that_could_not_be_run_says_so() -> None:
    for status, reason in (("skipped", "takes no 1-d arrays"), ("failed", "raised in step 1: TypeError: no")):
        result = Result("STEP.1/fingerprint", "float32", status, reason=reason)  # type: ignore[arg-type]
        entry = Entry("m:A", "paper", NONE, "deviates", results=[result])
        assert answer(entry) == f"could not be run: {reason}"
    moved = Result("STEP.1/fingerprint", "float32", "failed", reason="parameter 0[0] leaves the bound")
    assert answer(Entry("m:A", "paper", NONE, "deviates", results=[moved])).startswith("is none of the Adams")


def test_an_optimizer_that_is_no_adam_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "report.json"
    narrow = ["--dtype", "float64", "--probe", "STEP.1/fingerprint", "--json", str(path)]
    assert main(["identify", "torch.optim:SGD", "--set", "momentum=0.9", *narrow]) == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["step", "p", "=", "p", "-", "lr", "m"] in said
    assert ["first", "moment", "m", "=", "0.9", "m", "+", "g"] in said
    report = json.loads(path.read_text())
    schema = Path("conformance/schemas/report-1.json")
    jsonschema.validate(report, json.loads((ROOT / schema).read_text()))
    [candidate] = report["candidates"]
    assert {"part": "step", "equation": "p = p - lr m"} in candidate["anatomy"]["equations"]
