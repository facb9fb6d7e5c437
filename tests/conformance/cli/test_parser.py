"""The command line, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from adamcore.conformance.cli import parser
from adamcore.conformance.cli.parser import COMMANDS
from adamcore.dialects import DIALECTS

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


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], *([name] for name in COMMANDS)):
        with pytest.raises(SystemExit) as stop:
            parser.main([*arguments, "--help"])
        text = capsys.readouterr().out
        assert stop.value.code == 0
        assert "examples:" in text
        assert max(map(len, text.splitlines())) <= 110
    with pytest.raises(SystemExit):
        parser.main(["--help"])
    assert "exit status: 0 all conform" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser.main(["--version"])
    assert capsys.readouterr().out.startswith("adamcore 0.")


def test_dialects(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.main(["dialects"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in DIALECTS)
    assert parser.main(["dialects", "torch.AdamW"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "decay decoupled" in text
    assert "default weight_decay: 0.01" in text
    assert "option amsgrad=True: amsgrad=uncorrected" in text
    assert parser.main(["dialects", "torch.adamw"]) == 2
    assert "nearest: torch.AdamW" in capsys.readouterr().err


def test_probes(capsys: pytest.CaptureFixture[str]) -> None:
    from adamcore.conformance.probes import PROBES

    assert parser.main(["probes"]) == 0
    text = capsys.readouterr().out
    assert all(name.split("/")[0] in text for name in PROBES)
    assert parser.main(["probes", "F*"]) == 0
    text = capsys.readouterr().out
    assert "absent" in text
    assert "present=" in text
    assert parser.main(["probes", "EPS.1/besides"]) == 2
    assert "no probe 'EPS.1/besides'; nearest: EPS.1/beside-small-root" in capsys.readouterr().err


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


def test_deviating(tmp_path: Path) -> None:
    target = write(tmp_path)
    done = adamcore("check", target, "--dtype", "float32", "--json", "r.json", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), SCHEMA)
    assert "deviation" in done.stdout
    assert "the report (--json) has them all" in " ".join(done.stdout.split())
    findings = json.loads((tmp_path / "r.json").read_text())["candidates"][0]["findings"]
    repro = next(f["repro"] for f in findings if f["rule"] == "EPS.1")
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nunpy"], "nearest: numpy"),
        (["check", "--dialect", "torch.adamw"], "nearest: torch.AdamW"),
        (["check", "numpy", "--json", "no/such/folder/r.json"], "cannot write no/such/folder/r.json"),
        (["check", "numpy", "--json", "."], "cannot write ."),
        (["check", "numpy", "--set", "amsgrad"], "--set amsgrad: expected NAME=VALUE"),
        (["check", "torch.optim:Adam", "--set", "x=@y"], "--set x=@y: expected one of @lr"),
        (["check", "torch.optim:Adam", "--set", "x=1"], "torch.optim:Adam: --set x: the constructor has no"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert parser.main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["check", "--timeout", "0"], ["check", "-j", "0"], ["chekc"], []])
def test_wrong_arguments_are_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parser.main(arguments)
    assert stop.value.code == 2


def test_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "NEEDED", ("no_such_package",))
    assert parser.main(["dialects"]) == 2
    assert capsys.readouterr().err == (
        "adamcore: not installed: no_such_package; pip install 'adamcore[conformance]'\n"
    )
