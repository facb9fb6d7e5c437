"""Where things lie: small folders, and for each module a test in the same place under tests/."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from import_graph import DOORS, modules
from paths import ROOT

#: Modules without a test file of their own, each with the reason; at most one in twenty.
TESTED_ELSEWHERE = {
    "adamcore.types": "names of types alone, which mypy reads",
}

#: The files at the top.
TOP = {
    ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE",
    "MANIFEST.in", "Makefile", "README.md", "action.yml", "constraints-lowest.txt", "constraints.txt",
    "pyproject.toml",
}  # fmt: skip


def needing_tests() -> dict[str, Path]:
    """Return where the test of each module has to lie."""
    return {
        module: ROOT / "tests" / path.parent.relative_to(ROOT) / f"test_{path.stem.lstrip('_')}.py"
        for module, path in modules().items()
        if module not in DOORS and path.name not in ("__init__.py", "__main__.py")
    }


def test_no_folder_holds_more_than_20_modules() -> None:
    folders = Counter(path.parent for module, path in modules().items() if module not in DOORS)
    assert {str(folder): number for folder, number in folders.items() if number > 20 + 1} == {}  # __init__.py


def test_the_top_holds_no_file_that_is_not_named() -> None:
    """What an experiment leaves behind does not come along."""
    command = ["git", "ls-files", ":(glob)*"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    assert set(listed.stdout.split()) == TOP


def test_a_modules_test_lies_where_the_module_lies() -> None:
    wanted = needing_tests()
    missing = {module for module, path in wanted.items() if not path.exists()}
    assert missing - set(TESTED_ELSEWHERE) == set()
    assert set(TESTED_ELSEWHERE) - missing == set(), "has a test now, or is gone"
    assert len(missing) <= len(wanted) / 20
