"""Whole checks of candidates that go wrong only where two things meet."""

from __future__ import annotations

import pytest
from check_candidates import one
from paths import ROOT

PROBES = ("STEP.1/fingerprint", "F1/*", "LR.1/*", "STATE.4/*", "STEP.1/shapes")
ADAMS = ROOT / "tests" / "support" / "meeting_adams.py"


@pytest.mark.parametrize(
    ("name", "area", "observed"),
    [
        ("LateRate", "missing", "meet: gradients that are absent, a learning rate that changes"),
        ("ScheduledIsNotSaved", "state", "meet: a state that is saved and restored, a learning rate that"),
        ("ScalarsForgotten", "state", "meet: a state that is saved and restored, arrays without dimensions"),
    ],
)
def test_what_meets_is_named(name: str, area: str, observed: str) -> None:
    entry = one(f"{ADAMS}:{name}", probes=PROBES, dialect="torch.AdamW", dtypes=["float64"])
    first = entry.findings[0]
    assert (entry.verdict, first.area) == ("deviates", area)
    assert observed in first.observed
    assert first.evidence is not None


@pytest.mark.parametrize(
    ("name", "area", "observed"),
    [
        ("EpsInSingle", "epsilon", "eps is rounded to float32"),
        ("DecayInSingle", "decay", "weight_decay is rounded to float32"),
        ("WantsToWrite", "layout", "goes wrong only with arrays that cannot be written to; raised in step 1"),
        ("WantsStrides", "layout", "goes wrong only with gradients that are one number broadcast; raised in"),
    ],
)
def test_what_no_part_shows_is_named_by_itself(name: str, area: str, observed: str) -> None:
    target = f"{ADAMS}:{name}"
    first = one(target, probes=["*"], dtypes=["float64"], dialect="torch.AdamW", histories=0).findings[0]
    assert first.area == area
    assert first.observed.startswith(observed)


def test_a_history_that_was_cut_down_has_a_program() -> None:
    histories = ["STEP.1/fingerprint", "STEP.1/history-*"]
    entry = one(f"{ADAMS}:LateRate", probes=histories, dtypes=["float64"], dialect="torch.AdamW")
    assert entry.verdict == "deviates"
    assert entry.findings[0].repro is not None
    assert "for g, lr in [(None, 0.5), ([0.5], None)]:" in entry.findings[0].repro
