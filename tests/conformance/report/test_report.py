"""The report: its schema, its exit code and its file."""

from __future__ import annotations

import json
import os
import stat
from importlib import resources
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from small_report import entry, full

from adamcore import AXES
from adamcore.conformance.report.report import Report, Verdict, environment
from adamcore.conformance.report.terminal import VERDICTS

SCHEMA = json.loads(resources.files("adamcore.conformance").joinpath("schemas/report-1.json").read_text())


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    candidate = SCHEMA["$defs"]["candidate"]["properties"]
    assert candidate["verdict"]["enum"] == list(get_args(Verdict)) == list(VERDICTS)
    assert set(SCHEMA["$defs"]["axes"]["required"]) == set(AXES)


def test_report_follows_its_schema() -> None:
    report = full().as_dict()
    text = json.dumps(report, allow_nan=False)
    jsonschema.validate(json.loads(text), SCHEMA)
    probe = report["candidates"][0]["probes"][0]
    assert probe["worst_ratio"] is None
    assert probe["status"] == "failed"
    assert report["candidates"][0]["findings"][0]["evidence"]["ulp"] is None
    assert report["candidates"][0]["findings"][0]["evidence"]["got"] == "0x1.8p-1"


def test_environment_names_versions_and_loads_no_framework() -> None:
    found = environment()
    assert {"adamcore", "numpy"} <= set(found["packages"])
    assert found["python"].count(".") == 2


@pytest.mark.parametrize(
    ("verdicts", "asked", "code"),
    [
        (["conforms"], True, 0),
        (["conforms", "deviates"], True, 1),
        (["conforms", "unavailable"], True, 2),
        (["conforms", "unavailable"], False, 0),
        (["deviates", "unavailable"], True, 2),
        (["deviates", "unavailable"], False, 1),
        (["broken", "deviates", "unavailable", "conforms"], True, 3),
    ],
)
def test_exit_code(verdicts: list[Verdict], asked: bool, code: int) -> None:
    assert Report([entry(v, asked=asked) for v in verdicts], {}).exit_code == code


def test_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def fails(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="disk full"):
            full().write(path)
    assert path.read_text() == "old"
    full().write(path)
    jsonschema.validate(json.loads(path.read_text()), SCHEMA)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
