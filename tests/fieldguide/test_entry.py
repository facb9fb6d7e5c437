"""Entries: what is read from TOML, what is refused, and what counts as another definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fieldguide.entry import ROOT, Confirmed, Entry, Environment, entry_of, load_entries, select
from fieldguide.errors import EntryError

GIVEN = {
    "id": "a",
    "name": "A",
    "package": "p",
    "version": "1",
    "target": "fieldguide/drivers/chainer_adam.py:Adam",
    "dialect": "torch.Adam",
}


def made(**changes: object) -> Entry:
    return entry_of(GIVEN | changes, Environment("e"), "e.toml, a")


def test_every_entry_of_the_repository_is_read() -> None:
    entries = load_entries()
    assert len({entry.id for entry in entries}) == len(entries) >= 5
    for entry in entries:
        assert entry.claim.adam is not None
        driver = any("fieldguide/drivers/" in text for text in (entry.target, *entry.environment.build))
        assert bool([path for path in entry.files if path.is_relative_to(ROOT / "fieldguide")]) is driver


def test_a_documented_entry_has_words_and_a_link() -> None:
    for entry in load_entries():
        assert entry.says.endswith("."), entry.id
        assert not entry.documented or entry.link.startswith("https://"), entry.id


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dialekt": "x"}, "has 'dialekt', expected some of"),
        ({"dialect": ""}, "neither dialect nor near_miss"),
        ({"dialect": "torch.Adm"}, "nearest: torch.Adam"),
        ({"documented": {"epsilon": "somewhere"}}, "epsilon = 'somewhere' is no value of an axis"),
        ({"confirmed": [{"area": "x"}]}, "missing 3 required"),
    ],
)
def test_what_is_no_entry_is_refused_with_its_place(changes: dict[str, object], said: str) -> None:
    with pytest.raises(EntryError, match=r"e\.toml, a") as refused:
        made(**changes)
    assert said in str(refused.value)


def test_a_file_that_is_no_entry_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[entries]\n", encoding="utf-8")
    with pytest.raises(EntryError, match=r"x\.toml has \[entries\]"):
        load_entries(tmp_path)


def test_prose_is_no_part_of_the_definition_and_all_else_is() -> None:
    plain = made()
    confirmed = (Confirmed("clock", "CLK.1", "says", "file"),)
    assert replace(plain, says="x", link="y", note="z", confirmed=confirmed).definition == plain.definition
    more = Environment("e", packages=("x==1",))
    assert replace(plain, environment=more).definition == plain.definition
    for other in (
        replace(plain, version="2"),
        replace(plain, settings={"amsgrad": "True"}),
        replace(plain, environment=Environment("e", variables={"X": "1"})),
        replace(plain, target="torch.optim:Adam"),
    ):
        assert other.definition != plain.definition


def test_a_changed_driver_is_another_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fieldguide.entry.ROOT", tmp_path)
    entry = replace(made(), target="cmd:{python} {root}/driver.py x")
    (tmp_path / "driver.py").write_text("1", encoding="utf-8")
    before = entry.definition
    (tmp_path / "driver.py").write_text("2", encoding="utf-8")
    assert entry.definition != before


def test_entries_are_selected_by_id_environment_package_or_pattern() -> None:
    entries = [made(), made(id="b", package="q"), made(id="bb", package="q")]
    assert [e.id for e in select(entries, ["q"])] == ["b", "bb"]
    assert [e.id for e in select(entries, ["bb", "a"])] == ["a", "bb"]
    assert [e.id for e in select(entries, ["b*"])] == ["b", "bb"]
    assert [e.id for e in select(entries, ["e"])] == ["a", "b", "bb"]
    with pytest.raises(EntryError, match="no entry is meant by 'c'"):
        select(entries, ["c"])
