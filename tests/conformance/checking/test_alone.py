"""A run made by itself: what runs before it leave behind is named, in real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_candidates import one

COMPILED = """
import numpy as np
import sys

sys.path.append({support!r})
from array_adam import Good

SETTINGS = {{}}


class CompiledForFirst(Good):
    def init(self, params, hyper):
        super().init(params, hyper)
        self.h = {{**hyper, "eps": SETTINGS.setdefault("eps", hyper["eps"])}}


class WithoutEpsilon(Good):
    def init(self, params, hyper):
        super().init(params, {{**hyper, "eps": 0.03}})
"""


@pytest.mark.parametrize(("name", "area"), [("CompiledForFirst", "isolation"), ("WithoutEpsilon", "epsilon")])
def test_runs_before_are_told_from_what_is_built_in(name: str, area: str, tmp_path: Path) -> None:
    file = tmp_path / "kept.py"
    file.write_text(COMPILED.format(support=str(Path(__file__).parents[2] / "support")))
    probes = ["STEP.1/fingerprint", "STATE.4/uninterrupted", "EPS.*", "LR.*"]
    entry = one(f"{file}:{name}", probes=probes, dialect="torch.AdamW", dtypes=["float64"])
    first = entry.findings[0]
    assert (entry.verdict, first.area) == ("deviates", area)
    assert ("in a process of its own" in first.observed) == (area == "isolation")
