"""What a candidate does not claim is a note; what it claims, or does all the same, is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from adamcore.conformance import check
from adamcore.conformance.report.report import Entry

ADAM = """
import numpy as np

class Adam:
    hyper = ("lr", "b1", "b2", "eps")
    {attributes}

    def init(self, params, hyper):
        self.p, self.t, self.h = list(params), 0, hyper
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def step(self, grads):
        h = self.h
        self.t += 1
        for i, g in enumerate(grads):
            {absent}
            self.m[i] = h["b1"] * self.m[i] + (1 - h["b1"]) * g
            self.v[i] = h["b2"] * self.v[i] + (1 - h["b2"]) * g * g
            m, v = self.m[i] / (1 - h["b1"] ** self.t), self.v[i] / (1 - h["b2"] ** self.t)
            self.p[i] = self.p[i] - {size} * m / (np.sqrt(v) + h["eps"])
        return list(self.p)
"""
PROBES = ("STEP.1/fingerprint", "EPS.1/*", "F1/*", "CPX.1/complex", "LR.1/odd-values")


def entry(folder: Path, absent: str = "pass", attributes: str = "pass", size: str = 'h["lr"]') -> Entry:
    path = folder / "mine.py"
    path.write_text(ADAM.format(absent=absent, attributes=attributes, size=size))
    [found] = check(f"{path}:Adam", probes=PROBES, dtypes=["float64"], dialect="paper").entries
    return found


@pytest.mark.parametrize("absent", ["pass", "assert g is not None", 'if g is None: raise ValueError("g")'])
def test_an_adam_that_was_written_for_all_gradients_conforms_with_a_note(tmp_path: Path, absent: str) -> None:
    found = entry(tmp_path, absent)
    assert found.verdict == "conforms"
    [note] = [f for f in found.findings if f.area == "missing"]
    assert (note.level, note.rule) == ("note", "F1")
    assert "without one, it raised in step" in note.observed
    assert "absent = True" in note.expected


def test_one_that_claims_absent_gradients_is_held_to_them(tmp_path: Path) -> None:
    found = entry(tmp_path, attributes="absent = True")
    assert (found.verdict, found.findings[0].area) == ("deviates", "missing")


def test_one_that_makes_a_step_without_a_gradient_is_held_to_what_it_does(tmp_path: Path) -> None:
    found = entry(tmp_path, "g = np.zeros_like(self.p[i]) if g is None else g")
    assert (found.verdict, found.findings[0].area, found.findings[0].rule) == ("deviates", "missing", "F1")


def test_what_else_is_wrong_stands_first(tmp_path: Path) -> None:
    found = entry(tmp_path, size='0.75 * h["lr"]')
    assert found.verdict == "deviates"
    assert [f.observed for f in found.findings if f.level == "error"] == [
        "a step is 0.75 times as large as claimed"
    ]
