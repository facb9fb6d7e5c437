"""docs/out-of-core.md: its code prints what it says, and its links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
from docs_pages import lost_links
from paths import ROOT

PAGE = ROOT / "docs" / "out-of-core.md"


def test_the_code_prints_what_the_page_says() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    for code in blocks:
        if "import dask" in code:
            pytest.importorskip("dask.array")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, {})
        said = re.findall(r"# prints (.*)", code)
        assert said
        assert printed.getvalue().splitlines() == said


def test_its_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []
