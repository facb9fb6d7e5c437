"""`adamcore check`: its exit status, what it prints and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import worker_runs

from adamcore.conformance.cli import main

SCHEMA = json.loads(resources.files("adamcore.conformance").joinpath("schemas/report-1.json").read_text())


WRONG = """
import numpy as np
class Signs:
    def init(self, params, hyper):
        self.p, self.lr = params, hyper["lr"]
    def step(self, grads):
        {step}
        self.p = [p if g is None else p - p.dtype.type(self.lr) * np.sign(g) for p, g in zip(self.p, grads)]
        return self.p
"""


def adamcore(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adamcore.conformance", *arguments]
    return subprocess.run(command, text=True, capture_output=True, cwd=cwd, timeout=300)


def write(folder: Path, step: str = "pass") -> str:
    (folder / "signs.py").write_text(WRONG.format(step=step))
    return "signs.py:Signs"


def test_conforming(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = adamcore(
        "check", "torch.optim:AdamW", "--probe", "STEP.1/fingerprint", "--json", "r.json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert done.stdout.splitlines()[-1] == "1 conforms"
    report = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(report, SCHEMA)
    [candidate] = report["candidates"]
    assert (candidate["target"], candidate["claimed"]) == ("torch.optim:AdamW", "torch.AdamW")
    assert [(p["name"], p["dtype"], p["status"]) for p in candidate["probes"]] == [
        ("STEP.1/fingerprint", "float32", "passed"),
        ("STEP.1/fingerprint", "float64", "passed"),
    ]


@pytest.mark.slow
def test_deviating(tmp_path: Path) -> None:
    target = write(tmp_path)
    done = adamcore("check", target, "--dtype", "float32", "--json", "r.json", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), SCHEMA)
    assert done.stdout.startswith(
        "deviates  signs.py:Signs is not the paper's Adam, nor another Adam known here\n"
    )
    assert "all steps are of one size: the sign of the update alone counts" in " ".join(done.stdout.split())
    [candidate] = json.loads((tmp_path / "r.json").read_text())["candidates"]
    [found, note] = candidate["findings"]
    assert (found["area"], note["level"]) == ("moments", "note")
    assert candidate["anatomy"]["equations"][0] == {"part": "step", "equation": "p = p - lr sign(g)"}
    repro = next(f["repro"] for f in found["folded"] if f["rule"] == "EPS.1")
    assert repro == "adamcore check signs.py:Signs --probe EPS.1/beside-small-root"
    assert adamcore(*repro.split()[1:], cwd=tmp_path).returncode == 1


def test_broken_and_deviating_is_3(tmp_path: Path) -> None:
    target = write(tmp_path, "import os; os.abort()")
    done = adamcore(
        "check", target, "numpy", "--dialect", "paper", "--probe", "STEP.1/fingerprint", cwd=tmp_path
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "killed by SIGABRT at probe STEP.1/fingerprint" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 conforms, 1 broken"


def test_unavailable_target_asked_for_is_2(tmp_path: Path) -> None:
    done = adamcore("check", "no_such_library:Adam", "--probe", "STEP.1/fingerprint", cwd=tmp_path)
    assert done.returncode == 2
    assert "no_such_library is not installed" in done.stdout


def test_quick_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    words = [
        worker_runs.write(tmp_path),
        "--quick",
        "--dtype",
        "float32",
        "--probe",
        "EPS.*",
        "--json",
        str(path),
    ]
    assert main(["check", *words]) == 1
    assert "a quick check" in capsys.readouterr().out
    report = json.loads(path.read_text())
    jsonschema.validate(report, SCHEMA)
    [candidate] = report["candidates"]
    assert (report["quick"], candidate["verdict"]) == (True, "deviates")
    assert candidate["findings"][0]["repro"]


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_memory_is_a_number_above_0(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "numpy", "--memory", value])
    assert caught.value.code == 2
    assert "--memory" in capsys.readouterr().err
