"""docs/pictures/: the plots of docs/explained.md, each drawn from a run of the definition.

``python docs/generate/explanations.py [FOLDER]`` draws them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from plots import pyplot, save

from adamcore import Adam
from adamcore.coefficients import Host

FOLDER = Path(__file__).resolve().parents[1] / "pictures"
COLORS = ("#2f8fd0", "#c2453f", "#d1802b", "#8f6fc9")
STYLES = ("-", "--", "-.", ":")  #: so that nothing depends on colour alone
Curves = dict[str, tuple[Any, Any]]


def steps(adam: Adam, p: Any, gradients: Iterable[Any]) -> Any:
    """Return the parameter after each step, the first row before all."""
    params, state, rows = p, adam.init(p), [p]
    for g in gradients:
        params, state = adam.step(params, np.broadcast_to(g, p.shape).astype(p.dtype), state)
        rows.append(params)
    return np.array(rows)


def bias_correction() -> Curves:
    """The length of each step, in lr, under a gradient that stays the same."""
    found: Curves = {}
    for value in ("both", "none", "first", "second"):
        path = steps(Adam(lr=1.0, eps=0, bias_correction=value), np.zeros(1), [1.0] * 400)
        found[f"corrected: {value}"] = (np.arange(1, 401), -np.diff(path[:, 0]))
    return found


def epsilon() -> Curves:
    """The length of a step, in lr, beside the size of the gradient in eps."""
    sizes = np.logspace(-2, 4, 61)
    found: Curves = {}
    for t in (1, 1000):
        for value in ("outside-corrected", "outside-uncorrected"):
            path = steps(Adam(lr=1.0, eps=1.0, epsilon=value), np.zeros(61), [sizes] * t)
            found[f"{value}, step {t}"] = (sizes, -np.diff(path, axis=0)[-1])
    return found


def decay() -> Curves:
    """The mean of many weights over time, under noise of two sizes as their gradients."""
    noise = np.random.default_rng(0).normal(size=(1500, 400))
    found: Curves = {}
    for value in ("decoupled", "l2"):
        for size in (1.0, 0.01):
            path = steps(Adam(lr=1e-2, weight_decay=0.1, decay=value), np.ones(400), list(size * noise))
            found[f"{value}, gradients of {size:g}"] = (np.arange(1501), path.mean(axis=1))
    return found


def float32() -> Curves:
    """The relative error of 1 - b2**t, in ULP of float32, formed in float32 and in double."""
    clock = np.arange(1, 1001, 9)
    exact = np.array([Host().complement_power(0.999, int(t)) for t in clock])
    formed = 1 - np.float32(0.999) ** clock.astype(np.float32)
    ulp = np.spacing(exact.astype(np.float32))
    found = {
        "in float32": np.abs(formed - exact) / ulp,
        "in double, rounded once": np.abs(exact.astype(np.float32) - exact) / ulp,
    }
    return {name: (clock, np.maximum(error, 1e-3)) for name, error in found.items()}


def bound() -> Curves:
    """The largest error of each step of a probe beside its bound, in ULP."""
    from adamcore.conformance import check

    report = check("numpy", dialect="torch.AdamW", dtypes=["float32"], probes=["MOM.2/long"])
    [result] = report.entries[0].results
    at = np.arange(1, len(result.series) + 1)
    return {
        "bound": (at, np.array([point.bound_ulp for point in result.series])),
        "error of the step": (at, np.maximum([point.ulp for point in result.series], 1e-3)),
    }


#: The name of each picture, its curves, and how its axes are labelled and scaled.
PICTURES: dict[str, tuple[Callable[[], Curves], dict[str, Any]]] = {
    "bias-correction": (
        bias_correction,
        {"xlabel": "step", "ylabel": "length of the step, in lr", "xscale": "log"},
    ),
    "epsilon": (
        epsilon,
        {"xlabel": "|g| / eps", "ylabel": "length of the step, in lr", "xscale": "log"},
    ),
    "decay": (decay, {"xlabel": "step", "ylabel": "mean of 400 weights"}),
    "float32": (
        float32,
        {"xlabel": "t", "ylabel": "error of 1 - b2**t, in ULP", "yscale": "log", "ylim": (1e-3, 1e4)},
    ),
    "bound": (bound, {"xlabel": "step", "ylabel": "ULP", "yscale": "log"}),
}


def draw(curves: Curves, labels: dict[str, Any], file: Path) -> None:
    """Draw curves as an SVG with the same bytes every time, readable on light and on dark."""
    figure, axes = pyplot().subplots(figsize=(7, 4), layout="constrained")
    for (name, (x, y)), color, style in zip(curves.items(), COLORS, STYLES, strict=False):
        axes.plot(x, y, style, color=color, linewidth=2, label=name)
    axes.set(**labels)
    axes.legend(loc="best")
    save(figure, file)


if __name__ == "__main__":
    folder = Path(*sys.argv[1:2] or [str(FOLDER)])
    for name, (curves, labels) in PICTURES.items():
        draw(curves(), labels, folder / f"{name}.svg")
