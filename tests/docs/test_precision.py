"""docs/precision.md prints what its code prints, and its table is what is allocated."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from storage_runs import array

from adamcore import Adam

PAGE = (ROOT / "docs" / "precision.md").read_text(encoding="utf-8")


def test_the_code_prints_what_the_page_says() -> None:
    pytest.importorskip("torch")
    [code], [text] = (
        re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S) for kind in ("python", "text")
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == text


def test_the_bytes_are_those_that_are_allocated() -> None:
    rows = re.findall(r"^\| (\w+), `(\w+)` \|( \d.*)\|$", PAGE, re.M)
    assert len(rows) == 7
    n = 1000
    for dtype, policy, cells in rows:
        p = array("numpy", np.ones(n), dtype)

        def bytes_of(x: Any) -> float:
            return 0 if x is None else x.nbytes / n

        found = []
        for moments in ("float32", "bfloat16"):
            adam = Adam(p_storage=policy, moment_dtype=moments)
            _, state = adam.step([p], [p], adam.init([p]))
            rest = None if state.p_rest is None else state.p_rest[0]
            whole = sum(map(bytes_of, (p, rest, state.m[0], state.v[0])))
            found += [whole, whole + bytes_of(p)]
        assert [float(cell) for cell in cells.split("|")] == [bytes_of(p), bytes_of(rest), *found]
