"""docs/embedding.md does what it says, on a library the project names nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from paths import ROOT

PAGE = ROOT / "docs" / "embedding.md"


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def test_the_page_runs(tmp_path: Path) -> None:
    """In a process of its own: until its package is installed, the generic backend serves."""
    pytest.importorskip("sparse", reason="sparse, the library of docs/embedding.md, is not installed")
    program = [block for block in blocks("python") if not block.startswith("# file: ")]
    [module] = [block for block in blocks("python") if block.startswith("# file: ")]
    (tmp_path / module.split()[2]).write_text(module, encoding="utf-8")
    [group] = [tomllib.loads(block)["project"]["entry-points"] for block in blocks("toml")]
    info = tmp_path / "adamcore_sparse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: adamcore-sparse\nVersion: 1.0\n", encoding="utf-8"
    )
    entries = "\n".join(f"{name} = {value}" for name, value in group["adamcore.backends"].items())
    (info / "entry_points.txt").write_text(f"[adamcore.backends]\n{entries}\n", encoding="utf-8")
    last = "\nimport sys\nassert 'adamcore_sparse' in sys.modules\nprint('ran')\n"
    outputs = []
    for path in ("", str(tmp_path)):  # without the package, then with it
        text = "\n".join(program[:2]) + "\nprint('ran')" if not path else "\n".join(program) + last
        ran = subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path if path else PAGE.parents[1],
        )
        assert ran.returncode == 0, ran.stderr
        outputs.append(ran.stdout)
    assert outputs == ["ran\n", "ran\n"]


def test_the_library_is_named_nowhere_in_the_package() -> None:
    root = PAGE.parents[1]
    for folder in ("adamcore", "backends"):
        for path in (root / folder).glob("*.py"):
            assert not re.search(
                r"^\s*(import|from) sparse\b", path.read_text(encoding="utf-8"), flags=re.MULTILINE
            ), path
