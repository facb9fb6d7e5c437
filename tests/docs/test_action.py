"""action.yml: its script runs the check, and takes what it is given as words and never as commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

PAGE = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")


def action() -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path: Path) -> Any:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    [script] = [step["run"] for step in action()["runs"]["steps"] if step.get("id") == "check"]
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "adamcore"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m adamcore.conformance "$@"\n')
    command.chmod(0o755)

    def run(targets: str, options: str, badge: str = "") -> tuple[int, dict[str, str]]:
        files = {"GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "summary"}
        env = os.environ | {name: str(path) for name, path in files.items()}
        env |= {"TARGETS": targets, "OPTIONS": options, "BADGE": badge, "RUNNER_TEMP": str(tmp_path)}
        env |= {"PATH": f"{tmp_path / 'bin'}:{env['PATH']}", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=env, text=True)
        read = {path.name: path.read_text(encoding="utf-8") for path in files.values() if path.exists()}
        if badge and (tmp_path / badge).exists():
            read["badge"] = (tmp_path / badge).read_text(encoding="utf-8")
        return done.returncode, read

    return run


def test_its_exit_status_is_the_verdict(run: Any) -> None:
    options = "--dialect torch.AdamW --dtype float32 --probe STEP.1/fingerprint"
    status, read = run("numpy", options, "badge.json")
    assert (status, read["output"]) == (0, "status=0\n")
    assert read["summary"].startswith("# Is it Adam?")
    assert "conforms to torch.AdamW" in read["badge"]


def test_what_it_is_given_is_never_a_command(run: Any) -> None:
    status, read = run("$(touch hacked) `touch hacked` ; touch hacked", "--quick")
    assert status == 2
    assert read["output"] == "status=2\n"
    assert not list(ROOT.glob("hacked"))


def test_no_input_stands_in_the_text_of_a_script() -> None:
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_page_names_every_input() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M)) >= set(action()["inputs"])
