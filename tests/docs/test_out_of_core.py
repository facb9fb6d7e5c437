"""docs/out-of-core.md: its links lead somewhere, and the ceiling's numbers are those of the code."""

from __future__ import annotations

from docs_pages import lost_links
from paths import ROOT

from adamcore.backends.files.batches import LARGEST, SETS, budget

PAGE = ROOT / "docs" / "out-of-core.md"


def test_its_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []


def test_the_ceiling() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "Three sets of buffers take three quarters of the ceiling" in text
    assert SETS == 3
    assert budget(1 << 24).buffer == 3 * (1 << 24) // 4 // 3
    assert f"A set has at most {LARGEST >> 20} MiB" in text
