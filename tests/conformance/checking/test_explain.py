"""Findings and identification of an entry: adamcore's own backends are not identified."""

from __future__ import annotations

from typing import Any

import pytest
from array_adam import CLAIM, Good, judged

from adamcore import AXES
from adamcore.conformance.checking.explain import explain
from adamcore.conformance.report.report import Entry

PROBE = "STEP.1/fingerprint"


def explained(cls: type, kind: str) -> Entry:
    """Return the entry of a class after one probe."""
    probe, run, result = judged(cls, PROBE, "float64")
    entry = Entry("m:A", "torch.AdamW", {axis: list(values) for axis, values in AXES.items()}, kind=kind)
    entry.results = [result]
    explain(entry, CLAIM, {PROBE: probe}, {(PROBE, "float64"): run}, flushes=False)
    return entry


class Inside(Good):
    """An Adam with eps twice as large."""

    def init(self, params: Any, hyper: Any) -> None:
        super().init(params, hyper | {"eps": 2 * hyper["eps"]})


def test_a_third_partys_adam_is_identified() -> None:
    entry = explained(Good, "array candidate")
    assert entry.identified == "torch.AdamW"
    assert entry.axes["decay"] == ["decoupled"]
    assert entry.findings == []


@pytest.mark.parametrize(("cls", "findings"), [(Good, False), (Inside, True)])
def test_an_own_backend_is_diagnosed_if_it_fails_and_never_identified(cls: type, findings: bool) -> None:
    entry = explained(cls, "own backend")
    assert entry.identified is None
    assert bool(entry.findings) is findings
