"""Scores in a file: a run that was broken off goes on, and one of other code begins anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import kept_scores
import pytest
import score
from kept_scores import digest, read, run_kept
from register import ITEMS, Item
from score import Score

score.load(["right_forms"])
SOME = [item for item in ITEMS.values() if item.file == "right_forms.py"][:3]


def scored(item: Item) -> Score:
    return Score(item.target, "conforms", "", "", "", True, 0.5, 0.25, "STEP.1/shapes", 0, ("decay DEC.1",))


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets that are scored, instead of being run."""
    targets: list[str] = []

    def run(items: Sequence[Item]) -> Iterator[Score]:
        for item in items:
            targets.append(item.target)
            yield scored(item)

    monkeypatch.setattr(kept_scores, "run", run)
    monkeypatch.setattr(kept_scores, "digest", lambda: "this code")
    return targets


def test_what_was_scored_is_not_scored_again(ran: list[str], tmp_path: Path) -> None:
    file = tmp_path / "build" / "score.jsonl"
    broken_off = run_kept(SOME, file)
    assert next(broken_off) == scored(SOME[0])
    broken_off.close()
    assert [s.target for s in run_kept(SOME, file)] == [item.target for item in SOME]
    assert ran == [item.target for item in SOME]
    assert list(run_kept(SOME[:1], file)) == [scored(SOME[0])]
    assert len(lines(file)) == 1 + len(SOME)  # what was not asked for stays


def test_scores_of_other_code_are_no_scores(ran: list[str], tmp_path: Path) -> None:
    file = tmp_path / "score.jsonl"
    list(run_kept(SOME, file))
    assert len(read(file, "this code")) == len(SOME)
    assert read(file, "other code") == []
    assert read(tmp_path / "missing", "this code") == []


def test_a_line_that_was_cut_off_is_scored_again(ran: list[str], tmp_path: Path) -> None:
    file = tmp_path / "score.jsonl"
    list(run_kept(SOME, file))
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert list(run_kept(SOME, file)) == [scored(item) for item in SOME]
    assert ran[-1] == SOME[-1].target
    assert json.loads(lines(file)[-1]) == asdict(scored(SOME[-1])) | {"findings": ["decay DEC.1"]}


def test_a_digest_is_of_the_code(tmp_path: Path) -> None:
    code = tmp_path / "conformance" / "verdict.py"
    code.parent.mkdir()
    code.write_text("ONE = 1\n", encoding="utf-8")
    first = digest(tmp_path)
    assert digest(tmp_path) == first
    code.write_text("ONE = 2\n", encoding="utf-8")
    assert digest(tmp_path) != first
