"""docs/precision.md prints what its code prints, and its table is what is allocated."""

from __future__ import annotations

import contextlib
import io
import json
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
    codes, texts = (re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S) for kind in ("python", "text"))
    for code, text in zip(codes, texts, strict=True):
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


RESULTS = json.loads((ROOT / "docs" / "results" / "learning.json").read_text(encoding="utf-8"))["tasks"]


@pytest.mark.parametrize("name", RESULTS)
def test_the_page_shows_the_stored_losses(name: str) -> None:
    final = RESULTS[name]["final"]
    for kind, losses in final.items():
        numbers = " | ".join(f"{loss:.4f}" for loss in losses)
        assert f"| {name} | {kind} | {numbers} |" in PAGE


@pytest.mark.parametrize("name", RESULTS)
def test_what_is_kept_whole_learns_as_float32_does(name: str) -> None:
    """Bit for bit under the same gradients; within the spread of float32 over seeds under its own."""
    task = RESULTS[name]
    exact = np.array(task["final"]["float32"])
    spread = exact.max() - exact.min()
    for kind, found in task["distances"].items():
        assert found["same bits"] == (kind in ("master", "split"))
        assert kind in ("plain", "8 bits") or found["of its bound"] <= 1.0
    for kind, losses in task["final"].items():
        off = np.abs(np.mean(losses) - exact.mean())
        assert (off <= spread) == (kind != "plain"), kind
