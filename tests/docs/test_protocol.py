"""docs/protocol.md shows what the command prints of the driver in C."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from docs_pages import report_of, without_counts
from paths import ROOT

from adamcore.conformance.cli import main


@pytest.mark.slow
def test_the_report_is_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    [build] = re.findall(r"^    (cc .*)$", text, re.M)
    monkeypatch.chdir(tmp_path)
    subprocess.run(build.replace("examples/", f"{ROOT}/examples/").split(), check=True)
    command, shown = report_of("docs/protocol.md")
    monkeypatch.setenv("COLUMNS", "90")
    assert main(command.split()) == 0
    assert without_counts(capsys.readouterr().out) == without_counts(shown)
