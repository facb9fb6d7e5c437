"""docs/sharding.md: its examples run on two processes."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

import ranks
from paths import ROOT


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_page"))
def test_the_examples_run(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())


def test_the_figures_are_those_of_the_stored_run() -> None:
    run = json.loads((ROOT / "docs" / "results" / "sharded.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "sharding.md").read_text(encoding="utf-8")
    for name in ("16 million elements a rank", "50 of 64x64", "400 of 64x64"):
        ratios = run[name]["ratios"]
        plain, fused = (ratios[f"to {other} (processor time)"] for other in ("plain", "torch fused, sharded"))
        assert f"| {name} | {plain:.2f} | {fused:.2f} |" in page
        if "million" in name:
            assert plain <= 1.1
        else:
            assert fused <= 0.5
