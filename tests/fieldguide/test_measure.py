"""One entry measured for real, with few probes' worth of time: the whole way to a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fieldguide.entry import Entry, Environment
from fieldguide.environment import Environments
from fieldguide.measure import Measurement, facts, worst
from fieldguide.results import Document

BARE = Environment("bare", base="python3")
DRIVER = Entry(
    "minimal", "a driver", "pip", "0", "cmd:sh -c 'exit 7'", BARE, dialect="torch.AdamW"
)  # fmt: skip


def measured(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    where = Environments(tmp_path, [entry])
    monkeypatch.setattr(where, "prepare", lambda environment: None)
    return Measurement(entry, where, limit=60, quick=True).run()


def test_a_broken_candidate_is_a_failed_result_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Measurement, "version", lambda self: "0")
    found = measured(DRIVER, tmp_path, monkeypatch)
    assert (found["status"], found["version"]) == ("failed", "0")
    assert "broken: " in found["reason"]
    assert "status 7" in found["reason"]


def test_another_version_than_the_entrys_is_a_failed_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environments, "python", lambda self, environment: Path("/bin/false"))
    found = measured(replace(DRIVER, package="nobody"), tmp_path, monkeypatch)
    said = "nobody: found nothing, expected 0: change the version in bare.toml"
    assert (found["status"], found["reason"]) == ("failed", said)


def test_the_largest_error_is_that_of_the_dtype() -> None:
    def probe(name: str, dtype: str, ratio: float | None, status: str = "passed") -> Document:
        return {"name": name, "dtype": dtype, "status": status, "worst_ratio": ratio, "worst_ulp": 2.0}

    probes = [
        probe("a", "float32", 0.5), probe("b", "float32", 0.75), probe("c", "float64", 3.0, "failed"),
        probe("d", "float32", None, "failed"), probe("e", "float32", 0.0, "skipped"),
    ]  # fmt: skip
    found = worst(probes, "float32")
    assert (found["ratio"], found["probe"]) == (0.75, "b")
    assert [found[s] for s in ("passed", "failed", "skipped", "undecided")] == [2, 1, 1, 0]


def test_facts_keep_the_deviations_and_the_equations() -> None:
    finding = {
        "area": "clock", "rule": "CLK.1", "level": "error", "expected": "", "observed": "", "measured": "",
        "repro": None, "evidence": None, "folded": [{"rule": "F1"}, {"rule": "CLK.1"}],
    }  # fmt: skip
    checked = {"verdict": "deviates", "claimed": "paper", "findings": [finding], "probes": []}
    found = {
        "identified": None, "sureness": None, "fault": None, "precision": None, "axes": {},
        "anatomy": {"levers": {"lr": 0.5}, "equations": [{"part": "decay", "equation": "none"}]},
    }  # fmt: skip
    document = facts(checked, found)
    assert document["deviations"] == [["clock", "CLK.1"]]
    assert document["findings"][0]["also"] == ["F1"]
    assert document["equations"] == [["decay", "none"]]
