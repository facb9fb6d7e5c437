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
        ("ScalarsForgotten", "state", "meet: a state that is saved and restored, arrays without dimensions"),
    ],
)
def test_what_meets_is_named(name: str, area: str, observed: str) -> None:
    entry = one(f"{ADAMS}:{name}", probes=PROBES, dialect="torch.AdamW", dtypes=["float64"])
    first = entry.findings[0]
    assert (entry.verdict, first.area) == ("deviates", area)
    assert first.observed.endswith(observed)
    assert first.evidence is not None
