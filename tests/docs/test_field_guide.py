"""docs/field-guide/: written from the stored results, which show what issue and README say of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from field_guide_pages import FOLDER, how, number, pages
from paths import ROOT

from fieldguide.entry import load_entries
from fieldguide.results import RESULTS, load
from fieldguide.score import is_identified, is_told_apart

ENTRIES = {entry.id: entry for entry in load_entries()}


def test_the_pages_are_what_the_generator_writes() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")} == pages()


def test_every_result_is_an_entrys() -> None:
    assert {path.stem for path in RESULTS.glob("*.json")} <= set(ENTRIES)


def test_no_result_has_a_path_of_a_machine() -> None:
    for path in RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert [word for word in ("/tmp/", "/home/", "/root/", str(ROOT)) if word in text] == [], path.name


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("torch-adamw", "torch.AdamW"),
        ("optax-adamw", "optax.adamw"),
        ("chainer-adam", "chainer.Adam"),
        ("keras-torch-adam", None),
        ("torch-radam", None),
    ],
)
def test_five_stored_results(name: str, dialect: str | None) -> None:
    found = load(name)
    assert found is not None
    assert (found["status"], found["identified"]) == ("measured", dialect)
    entry = ENTRIES[name]
    assert is_told_apart(entry, found) if entry.near_miss else is_identified(entry, found)


def test_numbers_are_short() -> None:
    assert [number(x) for x in (0.0, 12.3, 1e-9, 7.2e7)] == ["0", "12", "1e-09", "7.2e7"]


@pytest.mark.parametrize(("newer", "said"), [("2.13.0", False), ("2.14.0", True)])
def test_a_change_is_told_between_versions_alone(newer: str, said: bool) -> None:
    change = {"what": "verdict", "before": "deviates", "after": "conforms", "versions": ["2.13.0", newer]}
    found = load("torch-adamw")
    assert found is not None
    text = how(ENTRIES["torch-adamw"], found | {"changed": [change]})
    assert (f"- verdict: deviates in 2.13.0, conforms in {newer}" in text) is said


def test_the_command_lists_the_entries_and_teaches() -> None:
    def said(*words: str) -> str:
        command = [sys.executable, "-m", "fieldguide", *words]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout

    assert "torch-adamw" in said("--list", "--only", "torch")
    assert "python -m fieldguide --only torch-adamw" in said("--help")
