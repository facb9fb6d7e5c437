"""The files of an edition: as the index says, as the schema says, and refused if they are damaged."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import jsonschema
import pytest
from paths import ROOT
from vector_files import INDEX, content

from adamcore.conformance.cli import main
from adamcore.conformance.vectors import files, inputs

SCHEMA = json.loads((ROOT / "conformance" / "schemas" / "vectors-1.json").read_text())


def test_files_are_as_the_index_says() -> None:
    assert files.check(files.SHIPPED) == INDEX
    assert INDEX["edition"] == inputs.EDITION
    size = sum(path.stat().st_size for path in files.SHIPPED.iterdir())
    assert size < 3_000_000


def test_files_follow_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.validate(INDEX)
    for name in INDEX["files"]:
        whole = content(name)
        validator.validate({**whole, "vectors": whole["vectors"][:8]})
    for broken in ({**INDEX, "files": 1}, {**whole, "axes": None}, {"schema": "other"}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(broken)


@pytest.mark.slow
def test_all_files_are_what_the_oracle_says(tmp_path: Path) -> None:
    files.write(tmp_path, files.generate())
    shipped = {path.name for path in files.SHIPPED.iterdir() if path.name.endswith(".json")}
    assert {path.name for path in tmp_path.iterdir()} == shipped
    for path in tmp_path.iterdir():
        assert (files.SHIPPED / path.name).read_bytes() == path.read_bytes(), path.name


def copy(folder: Path) -> Path:
    shutil.copytree(files.SHIPPED, folder / "copy")
    return folder / "copy"


def test_a_good_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "--check", str(copy(tmp_path))]) == 0
    assert "adam-vectors 2026.1" in capsys.readouterr().out


DAMAGE = {
    "changed": ("paper.json", lambda b: b.replace(b"3f", b"3e", 1), r"paper\.json: SHA-256 .* changed"),
    "cut": ("paper.json", lambda b: b[: len(b) // 2], r"paper\.json: SHA-256"),
    "gone": ("paper.json", None, r"paper\.json: No such file"),
    "no index": ("index.json", None, r"index\.json: No such file"),
    "index cut": ("index.json", lambda b: b[:100], r"index\.json: not JSON"),
    "foreign": ("index.json", lambda b: b'{"schema": "other/1"}', r"expected .*, found 'other/1'"),
    "no object": ("index.json", lambda b: b"[1]", r"found None"),
    "no files": ("index.json", lambda b: b'{"schema": "adamcore-vectors/1"}', r"no files"),
    "stranger": ("more.json", lambda b: b"{}", r"more\.json is in no index"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_bad_folder(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy(tmp_path)
    which, change, message = DAMAGE[name]
    path = folder / which
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes() if path.exists() else b""))
    assert main(["vectors", "--check", str(folder)]) == 2
    assert re.search(message, capsys.readouterr().err)
    with pytest.raises(files.VectorError):
        files.check(folder)
