"""docs/vectors.md: its code runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from vector_files import INDEX, PAGE, block

from adamcore.conformance.cli import main


def test_the_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "--for", "json", "--dialect", "torch.AdamW", "--dtype", "float64"]) == 0
    (tmp_path / "adamw.json").write_text(capsys.readouterr().out)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", block("python")],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    right, wrong = map(int, ran.stdout.split())
    assert (right > 100, wrong) == (True, 0)
    count = sum(entry["vectors"] for entry in INDEX["files"].values())
    assert f"{count} vectors" in " ".join(PAGE.split())
    assert f"{len(INDEX['files'])} files" in PAGE
