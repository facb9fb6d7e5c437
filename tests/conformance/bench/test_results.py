"""The file of a run: its schema is checked when it is read, and its environment names what matters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from paths import ROOT

from adamcore.conformance.bench import results


def test_the_stored_run_is_read() -> None:
    run = results.load(ROOT / "docs" / "results" / "bench-cpu.json")
    assert run["schema"] == results.SCHEMA
    assert run["rows"]


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"schema": "adamcore-bench/0"}))
    with pytest.raises(ValueError, match="schema 'adamcore-bench/0', expected 'adamcore-bench/2'"):
        results.load(path)


def test_environment_has_versions_and_cores() -> None:
    found = results.environment()
    assert found["cores"] >= 1
    assert found["packages"]["numpy"]
    assert set(found["packages"]) == set(results.PACKAGES)
