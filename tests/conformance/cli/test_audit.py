"""`adamcore audit`: its report and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from audit_runs import run_torch
from paths import ROOT

from adamcore.conformance.cli import main

SCHEMA = json.loads((ROOT / "conformance" / "schemas" / "report-1.json").read_text())


def test_the_command_and_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run_torch(tmp_path / "run.safetensors")
    report = tmp_path / "report.json"
    assert main(["audit", str(path), "--json", str(report)]) == 0
    jsonschema.validate(json.loads(report.read_text()), SCHEMA)
    assert main(["audit", str(path), "--json", str(report), "--dialect", "torch.Adam"]) == 1
    found = json.loads(report.read_text())
    jsonschema.validate(found, SCHEMA)
    assert found["candidates"][0]["kind"] == "recording"
    assert found["candidates"][0]["findings"][0]["rule"] == "DEC.1"
    capsys.readouterr()
    assert main(["audit", str(path), "--dialect", "torch.adam"]) == 2
    assert main(["audit", str(path), "--json", str(tmp_path / "no" / "r.json")]) == 2
    assert "nearest: torch.Adam" in capsys.readouterr().err
