"""The score: who counts as identified, told apart, accused."""

from __future__ import annotations

from dataclasses import replace

from adamcore import AXES
from adamcore.dialects import dialect
from fieldguide.entry import Confirmed, Entry, Environment
from fieldguide.results import Document
from fieldguide.score import (
    against_documentation,
    is_identified,
    is_told_apart,
    open_axes,
    score,
    unconfirmed,
    wrong_axes,
)

ADAM = Entry("a", "A", "p", "1", "x:y", Environment("e"), dialect="torch.AdamW")
NEAR = replace(ADAM, dialect="", near_miss="RAdam: rectified")


def result(name: str | None, verdict: str = "conforms", **changes: object) -> Document:
    row = dialect(name).adam(lr=0.1) if name else None
    axes = {axis: [getattr(row, axis)] if row else [] for axis in AXES}
    return {
        "status": "measured", "verdict": verdict, "identified": name, "axes": axes, "deviations": []
    } | changes  # fmt: skip


def test_an_adam_is_identified_if_no_axis_rules_its_own_value_out() -> None:
    right = result("torch.AdamW")
    assert is_identified(ADAM, right)
    right["axes"]["clock"] = ["per-parameter", "global"]
    assert is_identified(ADAM, right)
    assert open_axes(right) == ["clock"]
    assert wrong_axes(ADAM, result("torch.Adam")) == ["decay"]
    assert not is_identified(ADAM, result(None))


def test_a_near_miss_is_told_apart_if_no_adam_is_named() -> None:
    assert is_told_apart(NEAR, result(None, "deviates"))
    assert not is_told_apart(NEAR, result("torch.Adam", "deviates"))
    assert not is_told_apart(NEAR, result(None, "conforms"))
    nadam = replace(NEAR, dialect="torch.NAdam")
    assert is_told_apart(nadam, result("torch.NAdam"))
    assert not is_told_apart(nadam, result("torch.Adam"))


def test_a_deviation_is_confirmed_by_its_area_and_rule() -> None:
    accused = result("torch.AdamW", "deviates", deviations=[["clock", "CLK.1"], ["decay", "DEC.2"]])
    entry = replace(ADAM, confirmed=(Confirmed("clock", "CLK.1", "says", "file"),))
    assert unconfirmed(entry, accused) == [("decay", "DEC.2")]


def test_documentation_is_compared_with_what_was_measured() -> None:
    entry = replace(ADAM, documented={"epsilon": "outside-uncorrected", "decay": "decoupled"})
    assert against_documentation(entry, result("torch.AdamW")) == ["epsilon"]
    assert against_documentation(entry, result(None)) == []


def test_the_score_counts_entries_with_a_verdict() -> None:
    measured = [
        (ADAM, result("torch.AdamW")),
        (ADAM, result("torch.Adam", "deviates", deviations=[["decay", "DEC.2"]])),
        (NEAR, result(None, "deviates")),
        (ADAM, result(None, status="failed")),
    ]
    found = score(measured, 5)
    assert (found.entries, found.measured, found.adams, found.identified) == (5, 3, 2, 1)
    assert (found.near_misses, found.told_apart, found.accused, found.confirmed) == (1, 1, 1, 0)
    assert found.lines[0] == "3 of 5 entries have a verdict."
