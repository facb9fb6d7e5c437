"""docs/freeze.svg: the parameter of examples/freeze.py over time, under each way of holding it still.

``python docs/generate/freeze_plot.py [FILE]`` draws it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(DOCS.parent / "examples"))

from freeze import FROZEN, WARM, WAYS, with_adamcore  # noqa: E402 - found by the line above
from plots import GREY, pyplot, save  # noqa: E402 - beside this file


def plot(paths: dict[str, list[float]], file: Path) -> None:
    """Draw C over time as an SVG with the same bytes every time, readable on light and on dark."""
    figure, axes = pyplot().subplots(figsize=(7, 4), layout="constrained")
    axes.axvspan(WARM, WARM + FROZEN, color=GREY, alpha=0.15, linewidth=0)
    styles = {"zero": "-", "moments": "-", "is": ":", "none": "-"}
    colors = {"zero": "#d1802b", "moments": "#c2453f", "is": "#8f6fc9", "none": "#2f8fd0"}
    for way, path in paths.items():
        axes.plot(path, styles[way], color=colors[way], linewidth=3 if way == "is" else 2, label=WAYS[way])
    axes.set(xlabel="step", ylabel="C (grey: to stand still)")
    axes.legend()
    save(figure, file)


if __name__ == "__main__":
    paths = {way: with_adamcore(way, np.asarray) for way in WAYS}
    plot(paths, Path(*sys.argv[1:2] or [str(DOCS / "freeze.svg")]))
