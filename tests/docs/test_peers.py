"""The runs of peers' own test suites (benchmarks/peers/): how two runs are compared, and what is stored."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

STORED = sorted((ROOT / "docs" / "results").glob("peers-*.json"))

TOY = """
import toy_library
from suite import Suite

def replace():
    theirs, ours = toy_library.Adam, toy_library.Other
    toy_library.Adam = ours
    return {theirs: ours}

SUITE = Suite(
    library="toy", repository="nowhere", tag="v{version}", folders=("tests",), directory="tests",
    arguments=("test_toy.py",), packages=("pytest",), replace=replace, reasons={"test_name$": "another name"},
)
"""
LIBRARY = """
class Adam: pass
class Other(Adam): pass
"""
TESTS = """
import toy_library

def test_name(): assert toy_library.Adam.__name__ == "Adam"
def test_other(): assert toy_library.Adam.__name__ == "Other"
def test_either(): toy_library.Adam()
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The runner, beside a suite of three tests in a checkout."""
    (tmp_path / "toy_suite.py").write_text(TOY, encoding="utf-8")
    (tmp_path / "toy_library.py").write_text(LIBRARY, encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_toy.py").write_text(TESTS, encoding="utf-8")
    before = set(sys.modules)
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "peers")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield importlib.import_module("run")
    for name in {"run", "suite", "toy_suite", "toy_library"} - before:
        sys.modules.pop(name, None)


def test_a_suite_is_run_on_theirs_and_on_ours(run: Any, tmp_path: Path) -> None:
    found = run.compare(run.suite_of("toy"), tmp_path, "v1")
    assert found["theirs"] == {"passed": 2, "failed": 1, "skipped": 0}
    assert found["ours"] == {"passed": 2, "failed": 1, "skipped": 0}
    rows = [tuple(row[k] for k in ("test", "theirs", "ours", "why")) for row in found["differences"]]
    assert rows == [
        ("tests.test_toy::test_name", "passed", "failed", "another name"),
        ("tests.test_toy::test_other", "failed", "passed", None),
    ]
    assert "'Other' == 'Adam'" in found["differences"][0]["message"]
    assert list(found["suite"]["sha256"]) == ["test_toy.py"]


def test_a_test_that_was_not_run_on_either_is_a_difference(run: Any) -> None:
    [row] = run.differences({"a": ("passed", "")}, {}, {})
    assert (row["theirs"], row["ours"], row["why"]) == ("passed", "not collected", None)


def test_a_module_that_keeps_the_librarys_own_is_refused(tmp_path: Path, run: Any) -> None:
    late = "import toy_suite\nAdam = next(iter(toy_suite.REPLACED))\ndef test_it(): pass\n"
    (tmp_path / "tests" / "test_toy.py").write_text(late, encoding="utf-8")
    kept = TOY.replace("    return", "    global REPLACED\n    REPLACED = {theirs: ours}\n    return")
    (tmp_path / "toy_suite.py").write_text(kept, encoding="utf-8")
    with pytest.raises(SystemExit, match="could not run the tests of toy"):
        run.compare(run.suite_of("toy"), tmp_path, "v1")


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_each_stored_difference_has_a_reason(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["schema"] == "adamcore-peers/1"
    lost = [row for row in stored["differences"] if row["theirs"] == "passed"]
    won = [row for row in stored["differences"] if row["ours"] == "passed"]
    assert stored["ours"]["passed"] == stored["theirs"]["passed"] - len(lost) + len(won) > 0
    assert [row["test"] for row in stored["differences"] if not row["why"]] == []


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_page_tells_each_stored_run(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "results" / "README.md").read_text(encoding="utf-8")
    [row] = [line for line in page.splitlines() if f"({path.name})" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:4] == [str(stored[whose]["passed"]) for whose in ("theirs", "ours")]
    for difference in stored["differences"]:
        assert f"`{difference['test'].rpartition('::')[2]}`" in cells[4]
    assert bool(stored["differences"]) is (cells[4] != "none")


def test_the_command_names_its_libraries() -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "peers" / "run.py"), "--help"]
    assert "torch" in subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
