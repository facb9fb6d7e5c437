"""The runner: what is done is skipped, what fails stops nobody, what changed is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fieldguide.entry import ROOT, Entry, Environment
from fieldguide.environment import Environments
from fieldguide.results import SCHEMA, Document, load
from fieldguide.run import Outcome, change_text, measure_all

HERE = Environment("here")


def entry(name: str, version: str = "1") -> Entry:
    return Entry(name, name, "package", version, "torch.optim:Adam", HERE, dialect="torch.Adam")


def result(mine: Entry, status: str = "measured", **facts: Any) -> Document:
    return {
        "schema": SCHEMA, "id": mine.id, "definition": mine.definition, "version": mine.version,
        "quick": False, "status": status, "reason": "no reason", "verdict": "conforms",
        "identified": "torch.Adam", "fault": None,
    } | facts  # fmt: skip


class Runner:
    """A run whose measurements are made up."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.measured, self.facts = folder, list[str](), dict[str, Any]()

    def measure(self, mine: Entry, environments: Environments) -> Document:
        self.measured.append(mine.id)
        return result(mine, **self.facts) if mine.id != "bad" else result(mine, "failed")

    def run(self, *entries: Entry, **options: bool) -> list[Outcome]:
        self.measured = []
        where = Environments(self.folder / "cache", entries)
        return measure_all(entries, where, measure=self.measure, results=self.folder, **options)  # type: ignore[arg-type]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_what_is_done_is_skipped_until_its_definition_changes(runner: Runner) -> None:
    runner.run(entry("a"), entry("b"))
    assert sorted(runner.measured) == ["a", "b"]
    assert all(outcome.skipped for outcome in runner.run(entry("a"), entry("b")))
    assert runner.measured == []
    runner.run(entry("a", "2"), entry("b"))
    assert runner.measured == ["a"]
    runner.run(entry("b"), again=True)
    assert runner.measured == ["b"]


def test_a_quick_result_is_done_only_for_a_quick_run(runner: Runner) -> None:
    runner.facts = {"quick": True}
    runner.run(entry("a"), quick=True)
    runner.run(entry("a"), quick=True)
    assert runner.measured == []
    runner.run(entry("a"))
    assert runner.measured == ["a"]


def test_a_failure_is_a_row_that_stops_nobody_and_is_tried_again(runner: Runner) -> None:
    outcomes = runner.run(entry("bad"), entry("a"))
    assert [outcome.failed for outcome in outcomes] == [True, False]
    stored = load("bad", runner.folder)
    assert stored is not None
    assert (stored["status"], outcomes[0].line) == ("failed", "bad 1: failed: no reason")
    runner.run(entry("bad"), entry("a"))
    assert runner.measured == ["bad"]


def test_a_change_is_told_with_both_versions_and_kept(runner: Runner) -> None:
    runner.run(entry("a"))
    runner.facts = {"verdict": "deviates"}
    [outcome] = runner.run(entry("a", "2"))
    assert [change_text(entry("a"), change) for change in outcome.changed] == [
        "changed: a, verdict: conforms (1) -> deviates (2)"
    ]
    runner.run(entry("a", "2"), again=True)  # the same again
    stored = load("a", runner.folder)
    assert stored is not None
    assert stored["changed"] == outcome.changed


def test_an_environment_is_built_once_and_deleted_after_its_last_entry(tmp_path: Path) -> None:
    mine = Environment("tiny", build=("echo built >> {root}/../log",))
    entries = [replace(entry(name), environment=mine) for name in "ab"]
    where = Environments(tmp_path / "cache", entries)
    where.paths = lambda environment: {  # type: ignore[method-assign]
        "python": "p", "env": str(tmp_path / "cache" / "tiny"), "root": str(tmp_path / "cache")
    }  # fmt: skip
    seen = []

    def measure(one: Entry, environments: Environments) -> Document:
        environments.prepare(one.environment)
        seen.append(environments.python(one.environment).exists())
        return result(one)

    measure_all(entries, where, measure=measure, results=tmp_path / "results", jobs=1)
    assert seen == [True, True]
    assert (tmp_path / "log").read_text(encoding="utf-8") == "built\n"
    assert not where.folder(mine).exists()


KILLED = """
import sys, time
from pathlib import Path
from test_run import Runner, entry
folder = Path(sys.argv[1])
class Slow(Runner):
    def measure(self, mine, environments):
        if mine.id == "b":
            (folder / "reached").touch()
            time.sleep(60)
        return super().measure(mine, environments)
Slow(folder).run(entry("a"), entry("b"), jobs=1)
"""


def test_a_killed_run_goes_on_where_it_ended(tmp_path: Path, runner: Runner) -> None:
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": paths}) as process:
        for _ in range(1200):
            if (tmp_path / "reached").exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    outcomes = runner.run(entry("a"), entry("b"))
    assert runner.measured == ["b"]
    assert [outcome.skipped for outcome in outcomes] == [True, False]
