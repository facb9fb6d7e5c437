"""docs/learning.svg: how the loss of two networks falls under each policy of storage.

``python docs/generate/learning_plot.py [FILE]`` draws docs/results/learning.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from plots import GREY, pyplot, save

DOCS = Path(__file__).resolve().parents[1]
COLORS = {
    "plain": "#c2453f", "master": "#2f8fd0", "split": "#2f8fd0", "split8": "#3a9d6a", "kahan": "#8f6fc9",
    "stochastic": "#d1802b", "8 bits": "#b0578d",
}  # fmt: skip
WINDOW = 5  #: points that are averaged


def smoothed(curves: Any) -> Any:
    """Return the mean over seeds, averaged over a few points."""
    mean = np.mean(curves, axis=0)
    return np.convolve(mean, np.ones(WINDOW) / WINDOW, mode="valid")


def plot(tasks: dict[str, Any], file: Path) -> None:
    """Draw the loss above float32's as an SVG with the same bytes every time, for light and for dark."""
    figure, all_axes = pyplot().subplots(1, len(tasks), figsize=(9, 3.6), layout="constrained", squeeze=False)
    for axes, (name, task) in zip(all_axes[0], tasks.items(), strict=True):
        steps = np.array([int(step) for step in task["points"].values()])[WINDOW - 1 :]
        reference = smoothed(task["curves"]["float32"])
        for kind, color in COLORS.items():
            if kind in task["curves"]:
                apart = smoothed(task["curves"][kind]) - reference
                style = "--" if kind == "split" else "-"
                axes.plot(steps, apart, style, color=color, linewidth=2, label=kind)
        axes.axhline(0.0, color=GREY, linewidth=0.8)
        axes.set(title=name, xlabel="step", ylabel="loss above float32's")
    all_axes[0][0].legend()
    save(figure, file)


if __name__ == "__main__":
    stored = json.loads((DOCS / "results" / "learning.json").read_text(encoding="utf-8"))
    plot(stored["tasks"], Path(*sys.argv[1:2] or [str(DOCS / "learning.svg")]))
