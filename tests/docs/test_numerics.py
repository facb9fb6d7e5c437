"""docs/numerics.md: its table has every finding, and its figures are those of the report."""

from __future__ import annotations

import re

import numpy as np
import pytest
from docs_pages import lost_links
from paths import ROOT

from adamcore import Adam

PAGE = ROOT / "docs" / "numerics.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []


def test_the_table_has_every_finding() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "adamcore" / "numerics").glob("*.py")
    )
    made = set(re.findall(r'Loss\(\s*"([a-z-]+)"', source))
    assert set(re.findall(r"^\| `([a-z]+-[a-z]+)` \|", TEXT, flags=re.M)) == made


def test_the_figures_of_the_derivations() -> None:
    torch = pytest.importorskip("torch")
    p = torch.zeros(1)
    numbers = {f.what: f.numbers for f in Adam(v_dtype="bfloat16").check_numerics(p).findings}
    assert (round(numbers["v-stalls"]["low"], 2), round(numbers["v-stalls"]["high"], 2)) == (0.20, 0.34)
    assert "v stops at 0.20 to 0.34 of g\\*g" in TEXT.replace("\n", " ")
    narrow = Adam().check_numerics(np.zeros(1, dtype=np.float16)).findings
    half = {f.what: f.numbers for f in narrow}
    assert (int(half["v-overflow"]["g"]), round(half["v-underflow"]["g"], 4)) == (285, 0.0055)
    assert "|g| = 285 on" in TEXT
    assert "which is 0.0055 with b2=0.999" in TEXT
