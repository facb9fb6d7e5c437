"""`adamcore bench`: a short run, its file and its plot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adamcore.conformance.cli import main


def test_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, plot = tmp_path / "run.json", tmp_path / "run.svg"
    arguments = ["bench", "numpy", "--work", "100", "--budget", "0.1"]
    assert main([*arguments, "--json", str(target), "--plot", str(plot)]) == 0
    run = json.loads(target.read_text(encoding="utf-8"))
    assert run["schema"] == "adamcore-bench/2"
    assert [*dict.fromkeys(row["situation"] for row in run["rows"])] == ["training", "kept", "hot"]
    rows = {row["name"]: row for row in run["rows"] if row["situation"] == "training"}
    assert rows["usual, whole arrays"]["ratio"] == 1.0
    assert rows["adamcore"]["seconds"] > 0
    assert set(run["environment"]["packages"]) >= {"adamcore", "numpy"}
    assert "float16" in run["unserved"]["numpy"]
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    assert "not served, numpy: " in capsys.readouterr().out
