"""docs/freeze.md quotes what examples/freeze.py prints, its plot is drawn from it, and its code runs."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

PAGE = (ROOT / "docs" / "freeze.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def run(program: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / program), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_numbers_on_the_page_are_the_programs() -> None:
    for library in ("jax", "torch"):
        pytest.importorskip(library)
    assert run("examples/freeze.py") == block("text")


@pytest.mark.slow
def test_the_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run("docs/generate/freeze_plot.py", str(tmp_path / "freeze.svg"))
    svg = (tmp_path / "freeze.svg").read_text(encoding="utf-8")
    assert "<svg" in svg
    assert "dc:date" not in svg


def test_only_an_absent_gradient_stands_still() -> None:
    pytest.importorskip("torch")
    example = runpy.run_path(str(ROOT / "examples" / "freeze.py"))
    for run_way in (example["with_torch_optim"], lambda way: example["with_adamcore"](way, float_array)):
        at, end = example["WARM"], example["WARM"] + example["FROZEN"]
        paths = {way: run_way(way) for way in example["WAYS"]}
        assert paths["none"][at:] == [paths["none"][at]] * (end - at + 1)
        assert paths["is"] == paths["zero"]
        for way in ("zero", "moments"):
            assert abs(paths[way][end] - paths[way][at]) > 10 * example["HYPER"]["lr"]


def float_array(x: float) -> object:
    import numpy as np

    return np.asarray(x)


def test_the_chinese_page_has_the_same_code_numbers_rules_and_pictures() -> None:
    chinese = (ROOT / "docs" / "freeze.zh.md").read_text(encoding="utf-8")
    for pattern in (
        r"^```\w+\n.*?^```$",  # code
        r"^    .+$",  # the step
        r"\b(?:F|EPS\.|DEC\.|BC\.)\d\b",
        r"\d+\.\d+|\d{2,}",
        r"\]\(([^)]+\.(?:svg|py))\)",
        r"^#+",
    ):
        found = [
            re.findall(pattern, text, flags=re.M | re.S if "```" in pattern else re.M)
            for text in (PAGE, chinese)
        ]
        assert found[0] == found[1], pattern
