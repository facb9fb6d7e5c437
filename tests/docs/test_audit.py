"""docs/audit.md: its example and its code run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from audit_runs import only
from paths import ROOT

from adamcore.conformance.audit.recording import read_tensors


@pytest.mark.slow
def test_the_example(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "examples" / "record.py", tmp_path], check=True, cwd=ROOT)
    for name in ("torch", "jax"):
        assert only(tmp_path / f"{name}.safetensors").verdict == "conforms"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "audit.md").read_text()
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, "audit.md", "exec"), {"__name__": "page"})
    assert len(blocks) == 2
    for name in ("run.safetensors", "plain.safetensors"):
        assert only(tmp_path / name).verdict == "conforms"
    _, metadata = read_tensors(tmp_path / "run.safetensors")
    [described] = re.findall(r"^```json\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert json.loads(described).keys() == json.loads(metadata["adamcore"]).keys()
