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
    assert "every second" in run["unserved"]["numpy"]
    assert run["unserved"].keys() == run["prices"].keys() == {"numpy"}  # of what was timed
    assert run["prices"]["numpy"].keys() == run["unserved"]["numpy"].keys()
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    out = " ".join(capsys.readouterr().out.split())
    assert "not served, numpy: every second (" in out
    assert " times)" in out


def test_a_candidate_is_timed_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.json"
    target = "kernel:tests/corpus/wrong_kernels.py:skip_is_made"
    options = ["--work", "100", "--budget", "0.1", "--dialect", "torch.AdamW", "--json", str(path)]
    assert main(["bench", target, *options]) == 0
    run = json.loads(path.read_text(encoding="utf-8"))
    assert [row["name"] for row in run["rows"]] == ["memory traffic", target]
    assert (run["candidate"]["verdict"], run["candidate"]["claimed"]) == ("deviates", "torch.AdamW")
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "wrong: it deviates from torch.AdamW: the step is made although an overflow was found (SCALE.2"
        in said
    )
    assert "GB/s" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["numpy", "--dialect", "paper"], "--dialect, --device and --set are for a TARGET"),
        (["optax:adam", "--plot", "run.svg"], "--plot, --situation and --small are for our backends"),
        (["optax:adam", "--small"], "--work chooses the sizes"),
        (["cmd:./driver"], "adamcore bench times a class, a factory or a kernel"),
        (["nonsense"], "unknown target 'nonsense'"),
        (["kernel:math:hypot"], "hypot has no signature"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err
