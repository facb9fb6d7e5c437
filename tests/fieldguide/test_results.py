"""Stored results: written whole, read back, compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldguide.errors import FieldGuideError
from fieldguide.results import SCHEMA, changes, load, store


def test_a_result_is_read_as_it_was_stored(tmp_path: Path) -> None:
    document = {"schema": SCHEMA, "id": "a", "version": "1", "axes": {"clock": ["global"]}}
    assert store(document, tmp_path / "new").name == "a.json"
    assert load("a", tmp_path / "new") == document
    assert load("b", tmp_path / "new") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "other/1"}'])
def test_another_file_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(FieldGuideError, match=r"a\.json is no result"):
        load("a", tmp_path)


def test_an_error_that_is_a_little_larger_is_no_change() -> None:
    one = {"version": "1", "status": "measured", "errors": {"float32": {"ratio": 0.5}}, "seconds": {}}
    assert changes(one, one | {"errors": {"float32": {"ratio": 0.6}}, "date": "later"}) == []


def test_a_failure_is_a_change() -> None:
    old = {"version": "1", "status": "measured", "verdict": "conforms"}
    [change] = changes(old, {"version": "2", "status": "failed"})
    assert (change["what"], change["before"], change["after"]) == ("status", "measured", "failed")
    assert change["versions"] == ["1", "2"]
    assert changes({"version": "1", "status": "failed"}, old) == []
