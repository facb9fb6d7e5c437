"""docs/explained.md: its figures are those of its curves, and its pictures are drawn."""

from __future__ import annotations

import re
from pathlib import Path

import anatomy_drawing
import explanations
import numpy as np
import pytest
from paths import ROOT

from adamcore import AXES
from adamcore.dialects import DIALECTS, like

PAGE = (ROOT / "docs" / "explained.md").read_text(encoding="utf-8")


def test_every_picture_is_there_and_described() -> None:
    shown = dict(re.findall(r"^!\[(.+)\]\(pictures/([\w-]+)\.svg\)$", PAGE, re.M))
    assert sorted(shown.values()) == sorted([*explanations.PICTURES, "anatomy"])
    for name in explanations.PICTURES:
        assert (explanations.FOLDER / f"{name}.svg").exists()


def test_bias_correction() -> None:
    curves = {name.split(": ")[1]: y for name, (_, y) in explanations.bias_correction().items()}
    assert np.allclose(curves["both"], 1, rtol=1e-9)
    assert [round(float(y), 1) for y in (curves["none"][0], curves["none"].max(), curves["first"][0])] == [
        3.2, 6.6, 31.6
    ]  # fmt: skip


def test_epsilon_hat() -> None:
    curves = explanations.epsilon()
    at = int(np.argmin(np.abs(curves["outside-corrected, step 1"][0] - 10)))
    found = [
        round(float(curves[f"outside-{name}, step 1"][1][at]), 2) for name in ("corrected", "uncorrected")
    ]
    assert found == [0.91, 0.24]
    later = [curves[f"outside-{name}, step 1000"][1] for name in ("corrected", "uncorrected")]
    assert np.abs(later[0] - later[1]).max() < 0.07


def test_float32() -> None:
    found = explanations.float32()
    assert 50 < np.median(found["in float32"][1]) < 200
    assert found["in double, rounded once"][1].max() <= 0.5


@pytest.mark.slow
def test_decay() -> None:
    curves = {name: y for name, (_, y) in explanations.decay().items()}
    assert np.allclose(curves["decoupled, gradients of 1"], curves["decoupled, gradients of 0.01"], atol=0.02)
    assert np.allclose(curves["decoupled, gradients of 1"], curves["l2, gradients of 1"], atol=0.02)
    assert curves["l2, gradients of 0.01"][250] < 0.01


def test_the_bound_is_far_above_the_error() -> None:
    curves = explanations.bound()
    assert len(curves["bound"][0]) == 300
    assert (curves["error of the step"][1] < curves["bound"][1]).all()
    assert curves["error of the step"][1].max() < 12


def test_the_anatomy_is_that_of_adamw() -> None:
    from adamcore.conformance.anatomy.anatomy import Anatomy
    from adamcore.conformance.anatomy.experiments import EXPERIMENTS
    from adamcore.conformance.anatomy.readings import readings_of_claim

    runs = readings_of_claim(like("torch.AdamW", weight_decay=0.1), EXPERIMENTS, "float64")
    [text] = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)
    lines = [tuple(re.split(r"\s{2,}", line, maxsplit=1)) for line in text.splitlines()]
    assert lines == [tuple(row) for row in Anatomy(runs).equations]


def test_the_drawing_of_the_anatomy_has_every_axis_and_counts_every_dialect() -> None:
    svg = anatomy_drawing.drawing()
    assert svg == anatomy_drawing.FILE.read_text(encoding="utf-8")
    assert sorted(re.findall(r'class="axis">(\w+)<', svg)) == sorted(AXES)
    for axis in AXES:
        assert sum(map(int, re.findall(r" (\d+)\b", anatomy_drawing.counted(axis)))) == len(DIALECTS)


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    explanations.draw({"a": (np.arange(3), np.arange(3))}, {"xlabel": "x"}, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<svg" in svg
    assert "dc:date" not in svg
    assert "#808080" not in svg
    assert "prefers-color-scheme:dark" in svg
